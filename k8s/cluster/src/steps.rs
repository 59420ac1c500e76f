//! The steps a user sees on stderr, with the time since the start, and the user's wish to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How often something awaited is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Prints what is being done and notices when it is to end.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    started: Instant,
    quiet: bool,
    stop: Arc<AtomicBool>,
}

impl Steps {
    pub(crate) fn new(quiet: bool) -> Self {
        Self::stoppable(quiet, Arc::default())
    }

    pub(crate) fn stoppable(quiet: bool, stop: Arc<AtomicBool>) -> Self {
        Self { started: Instant::now(), quiet, stop }
    }

    /// The same output, but an earlier wish to stop no longer counts: for cleaning up.
    pub(crate) fn unstoppable(&self) -> Self {
        Self { stop: Arc::default(), ..self.clone() }
    }

    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{:7.2} s  {}", self.started.elapsed().as_secs_f64(), text.as_ref());
        }
    }

    /// Fails when the user has asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Waits until `look` finds what it looks for. Until then it returns what it saw instead.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut() -> Result<Result<T, String>>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            self.check()?;
            let last = match look()? {
                Ok(found) => return Ok(found),
                Err(last) => last,
            };
            if started.elapsed() > patience {
                return Err(Error::Timeout { what: what.to_owned(), seconds: patience.as_secs(), last });
            }
            std::thread::sleep(POLL);
        }
    }
}
