//! One signal that ends a run early: Ctrl-C, an error, or an experiment that is done.

use std::sync::Arc;

use tokio::sync::watch;

/// Why a run ends before its schedule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The experiment has what it wants.
    Done,
    /// Ctrl-C or SIGTERM.
    Interrupt,
    /// Something failed, in words.
    Error(String),
}

/// Shared by everything that runs. The first reason counts, except that an interrupt or an error outranks `Done`.
#[derive(Clone, Debug)]
pub struct Stop {
    sender: Arc<watch::Sender<Option<Reason>>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(None)) }
    }
}

impl Stop {
    /// Asks everything to end.
    pub fn set(&self, reason: Reason) {
        self.sender.send_if_modified(|current| {
            let replace = matches!(current, None | Some(Reason::Done)) && current.as_ref() != Some(&reason);
            if replace {
                *current = Some(reason);
            }
            replace
        });
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Reason> {
        self.sender.borrow().clone()
    }

    /// Whether sending must end.
    pub fn is_set(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Waits until sending must end.
    pub async fn wait(&self) -> Reason {
        self.wait_for(|_| true).await
    }

    /// Waits for an interrupt or an error, but not for `Done`.
    pub async fn aborted(&self) -> Reason {
        self.wait_for(|reason| *reason != Reason::Done).await
    }

    async fn wait_for(&self, wanted: impl Fn(&Reason) -> bool) -> Reason {
        let mut receiver = self.sender.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let seen = receiver.wait_for(|reason| reason.as_ref().is_some_and(&wanted)).await;
        seen.ok().and_then(|reason| reason.clone()).unwrap_or(Reason::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_outranks_done_but_not_the_other_way() {
        let stop = Stop::default();
        stop.set(Reason::Done);
        stop.set(Reason::Interrupt);
        stop.set(Reason::Done);
        stop.set(Reason::Error("later".into()));
        assert_eq!(stop.reason(), Some(Reason::Interrupt));
    }
}
