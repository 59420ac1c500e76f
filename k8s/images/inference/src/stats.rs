//! What this server served, by its own count: the truth that tests hold the observer against.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since start. Requests are counted when their answer is handed to the connection.
#[derive(Debug, Default)]
pub struct Stats {
    by_status: Mutex<BTreeMap<u16, u64>>,
    traced: AtomicU64,
    probes: AtomicU64,
    own: AtomicU64,
    begun: AtomicU64,
    accepted: AtomicU64,
    open: AtomicU64,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client; with a `traceparent` or without.
    Client {
        /// Whether it sent a `traceparent`.
        traced: bool,
    },
    /// The kubelet.
    Probe,
    /// Somebody at `/_stats` or `/_admin`.
    Operator,
}

impl Stats {
    /// A client's request begins; returns its ordinal number.
    pub fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Relaxed)
    }

    /// An answer is ready.
    pub fn answered(&self, asker: Asker, status: u16) {
        match asker {
            Asker::Client { traced } => {
                *self.by_status.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
                self.traced.fetch_add(u64::from(traced), Relaxed);
            }
            Asker::Probe => _ = self.probes.fetch_add(1, Relaxed),
            Asker::Operator => _ = self.own.fetch_add(1, Relaxed),
        }
    }

    /// A connection was accepted; it counts as open until the guard is dropped.
    pub fn connection(&self) -> OpenConnection<'_> {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        OpenConnection(self)
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let by_status = self.by_status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        serde_json::json!({
            "requests": {
                "begun": self.begun.load(Relaxed),
                "answered": by_status.values().sum::<u64>(),
                "by_status": by_status.iter().map(|(status, n)| (status.to_string(), (*n).into())).collect::<serde_json::Map<_, _>>(),
                "traced": self.traced.load(Relaxed),
            },
            "probes": self.probes.load(Relaxed),
            "operator_requests": self.own.load(Relaxed),
            "connections": { "accepted": self.accepted.load(Relaxed), "open": self.open.load(Relaxed) },
        })
    }
}

/// Takes its connection off the open ones when it goes.
#[derive(Debug)]
pub struct OpenConnection<'a>(&'a Stats);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
