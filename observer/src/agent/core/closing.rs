//! Closing a run: not before everything that was seen until then has been joined.

use std::sync::atomic::Ordering;

use super::Core;
use crate::agent::input::Reply;
use crate::api::Run;
use crate::clock::monotonic_ns;

/// Events that happened before the order are in the ring buffer at once, but the flow table lets a finished exchange wait
/// this long for its socket calls.
const FLOW_SETTLE_NS: u64 = 200_000_000;
/// Nothing waits longer than this, so that a client is answered also when something never comes.
const CLOSE_MAX_NS: u64 = 4_000_000_000;

/// A run that is being closed.
#[derive(Debug)]
pub struct Closing {
    id: String,
    replies: Vec<Reply<Option<Run>>>,
    asked_ns: u64,
    flushed_ns: Option<u64>,
}

impl Core {
    pub(super) fn close(&mut self, id: String, reply: Reply<Option<Run>>) {
        let now_ns = monotonic_ns();
        if let Some(closing) = self.closing.as_mut().filter(|closing| closing.id == id) {
            closing.replies.push(reply);
        } else if self.runs.begin_close(&id, now_ns) {
            self.closing = Some(Closing { id, replies: vec![reply], asked_ns: now_ns, flushed_ns: None });
        } else {
            let _ = reply.send(self.runs.get(&id));
        }
    }

    pub(super) fn closing_step(&mut self) {
        let now_ns = monotonic_ns();
        let Some(mut closing) = self.closing.take() else { return };
        if closing.flushed_ns.is_none() && now_ns - closing.asked_ns >= FLOW_SETTLE_NS {
            self.flow.flush(&mut self.outputs);
            self.offer_outputs(true, now_ns);
            closing.flushed_ns = Some(now_ns);
        }
        let late = now_ns - closing.asked_ns >= CLOSE_MAX_NS;
        match closing.flushed_ns {
            Some(flushed_ns) if late || self.joiner.settled_until(flushed_ns) => {
                self.settle(now_ns, late);
                let run = self.runs.finish_close(&closing.id, now_ns, &self.losses());
                self.set_run_parts();
                for reply in closing.replies {
                    let _ = reply.send(run.clone());
                }
            }
            _ => self.closing = Some(closing),
        }
    }

    /// The open run's Services are the ones that decide hops, and are watched.
    pub(super) fn set_run_parts(&mut self) {
        self.joiner.set_parts(self.runs.parts().cloned());
        self.config.run_open.store(self.runs.parts().is_some(), Ordering::Relaxed);
        self.watched_stale = true;
    }
}
