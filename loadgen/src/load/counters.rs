//! What the progress display reads while the load runs.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::raw::ClientRequest;

/// Counts since the start of the load.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    starved: AtomicU64,
    last_end_ns: AtomicU64,
    last_failure_ns: AtomicU64,
}

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Handed to the HTTP client.
    pub sent: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Ended badly.
    pub failed: u64,
    /// Sent late because no worker was free.
    pub starved: u64,
}

impl Counters {
    /// A request is about to be handed to the HTTP client.
    pub fn sending(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has ended.
    pub fn ended(&self, request: &ClientRequest) {
        let counter = if request.succeeded() { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.seen(request);
        if request.starved {
            self.starved.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What others count, all of it together: they send, we only tell.
    pub fn show(&self, counts: Snapshot) {
        self.sent.store(counts.sent, Ordering::Relaxed);
        self.succeeded.store(counts.succeeded, Ordering::Relaxed);
        self.failed.store(counts.failed, Ordering::Relaxed);
        self.starved.store(counts.starved, Ordering::Relaxed);
    }

    /// Times of a request that others counted.
    pub fn seen(&self, request: &ClientRequest) {
        if !request.succeeded() {
            self.last_failure_ns.fetch_max(request.end_ns, Ordering::Relaxed);
        }
        self.last_end_ns.fetch_max(request.end_ns, Ordering::Relaxed);
    }

    /// When the last request ended. `None`: none has.
    pub fn last_end_ns(&self) -> Option<u64> {
        Some(self.last_end_ns.load(Ordering::Relaxed)).filter(|&at| at > 0)
    }

    /// When the last request that failed ended. `None`: none has.
    pub fn last_failure_ns(&self) -> Option<u64> {
        Some(self.last_failure_ns.load(Ordering::Relaxed)).filter(|&at| at > 0)
    }

    /// Reads all of them.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            sent: self.sent.load(Ordering::Relaxed),
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            starved: self.starved.load(Ordering::Relaxed),
        }
    }
}

impl Snapshot {
    /// Sent, but not ended.
    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.succeeded + self.failed)
    }
}
