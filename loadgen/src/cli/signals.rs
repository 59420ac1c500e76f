//! Ctrl-C: the first ends the run in order, the second at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::exit::{Failure, INTERRUPTED};
use crate::load::{Reason, Stop};

/// A signal belongs to the process, and so does what it must stop: one run after the other.
static CURRENT: Mutex<Option<Stop>> = Mutex::new(None);
static ASKED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();

/// Makes Ctrl-C stop this run. The handler must be ours before the engine installs its own, which ends the program with
/// the wrong code and without putting anything back.
pub fn install(stop: &Stop) -> Result<(), Failure> {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.clone());
    // Asked between two runs: the next one is not begun.
    if asked() {
        stop.set(Reason::Interrupt);
    }
    let installed = INSTALLED.get_or_init(|| ctrlc::set_handler(interrupt).map_err(|error| error.to_string()));
    installed.clone().map_err(|error| Failure::tool(format!("cannot watch for Ctrl-C: {error}")))
}

/// Whether Ctrl-C was pressed: what is left of a series is not begun.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

fn interrupt() {
    if ASKED.swap(true, Ordering::SeqCst) {
        eprintln!("\ninterrupted again: leaving at once; `loadgen doctor --clean` puts back what is left changed");
        std::process::exit(i32::from(INTERRUPTED));
    }
    eprintln!(
        "\ninterrupted: no more requests; waiting for those under way, then putting the cluster back (again to leave at once)"
    );
    if let Some(stop) = &*CURRENT.lock().unwrap_or_else(PoisonError::into_inner) {
        stop.set(Reason::Interrupt);
    }
}
