//! Ctrl-C: the first ends the run in order, the second at once.

use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::{Failure, INTERRUPTED};
use crate::load::{Reason, Stop};

/// Installs the handler. It must be ours before the engine installs its own, which ends the program with the wrong code
/// and without putting anything back.
pub fn install(stop: &Stop) -> Result<(), Failure> {
    let stop = stop.clone();
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::SeqCst) {
            eprintln!("\ninterrupted again: leaving at once; `loadgen doctor --clean` puts back what is left changed");
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("\ninterrupted: no more requests; waiting for those under way, then putting the cluster back (again to leave at once)");
        stop.set(Reason::Interrupt);
    })
    .map_err(|e| Failure::tool(format!("cannot watch for Ctrl-C: {e}")))
}
