//! The join: which records belong to which of the client's requests.
//!
//! | from | to | how, the surest first |
//! |---|---|---|
//! | client's request | exchange at the gateway | trace id; else the client's address through its translation |
//! | exchange at the gateway | attempt at a pod | trace id; without data: order of socket calls in one thread; else time |
//! | attempt | exchange at the pod | trace id, and the translated addresses |
//! | request without any of these | the gateway pod dialled | what is left of the translations, in order of time |
//!
//! Where two ways exist they must agree. A disagreement is counted and told, never averaged away.

mod attempts;
mod conflicts;
mod front;
mod leftovers;
mod serving;
mod thread_order;
mod time_window;
mod translations;

pub use conflicts::Conflicts;

use std::collections::BTreeMap;

use super::clients::Clients;
use super::cluster::{Cluster, PodAt};
use super::seen::{Groups, Seen};
use crate::raw::RunFile;
use crate::raw::compact::Maybe;
use crate::report::schema::JoinedBy;

/// How far a request is known at the gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Front {
    /// Its exchange at the gateway's socket.
    pub exchange: Maybe,
    /// The connection of that exchange, or the one it would have been sent on.
    pub conn: Maybe,
    /// The translation of that connection.
    pub translation: Maybe,
    /// The gateway pod.
    pub pod: Option<PodAt>,
    /// How the above were found.
    pub joined_by: Option<JoinedBy>,
}

/// One attempt of the gateway to have a request answered by a pod.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The client's request that it was made for.
    pub request: u32,
    /// Its connection.
    pub conn: Maybe,
    /// The exchange on it. `None`: nothing was sent.
    pub exchange: Maybe,
    /// The same exchange at the pod's socket.
    pub pod_exchange: Maybe,
    /// The same connection at the pod's socket.
    pub pod_conn: Maybe,
    /// The serving pod, or the one whose address was dialled.
    pub pod: Option<PodAt>,
    /// How it was given to its request.
    pub joined_by: JoinedBy,
    /// `connect()` called, or, on a re-used connection, request written.
    pub start_ns: u64,
}

/// Everything that was joined.
#[derive(Debug)]
pub struct Join {
    /// For each request of the client.
    pub front: Vec<Front>,
    /// All attempts; those of one request are in order of time.
    pub attempts: Vec<Attempt>,
    by_request: Groups,
    /// Two joins of one thing that disagree.
    pub conflicts: Conflicts,
    /// Attempts of a gateway during the run that no request could be found for.
    pub unjoined: u64,
    /// Attempts that are proven to be for somebody else's request.
    pub foreign: u64,
}

/// What every step of the join reads.
pub(super) struct Input<'r, 'a> {
    pub run: &'a RunFile,
    pub client: &'r Clients<'a>,
    pub seen: &'r Seen<'a>,
    pub cluster: &'r Cluster<'a>,
    /// Clocks may be apart by this much.
    pub clock_error_ns: u64,
}

impl Join {
    /// Joins everything.
    pub(super) fn new(input: &Input<'_, '_>) -> Self {
        let mut conflicts = Conflicts::default();
        let mut front = front::join(input, &mut conflicts);
        leftovers::join(input, &mut front);
        let found = attempts::join(input, &front, &mut conflicts);
        let mut attempts = found.attempts;
        attempts.sort_unstable_by_key(|attempt| {
            (attempt.request, attempt.start_ns, attempt.conn.get(), attempt.exchange.get())
        });
        let by_request =
            Groups::new(input.client.len(), attempts.iter().enumerate().map(|(i, a)| (a.request, i as u32)));
        serving::join(input, &by_request, &mut attempts, &mut conflicts);
        Self { front, attempts, by_request, conflicts, unjoined: found.unjoined, foreign: found.foreign }
    }

    /// Attempts made for a request, in order of time.
    pub fn attempts_of(&self, request: u32) -> impl DoubleEndedIterator<Item = &Attempt> + ExactSizeIterator {
        self.by_request.of(request).iter().map(|at| &self.attempts[*at as usize])
    }

    /// The attempt that decided what the client saw: the last one.
    pub fn decisive(&self, request: u32) -> Option<&Attempt> {
        self.attempts_of(request).next_back()
    }

    /// Attempts by the way they were joined.
    pub fn count_by_way(&self) -> BTreeMap<JoinedBy, u64> {
        let mut counts = BTreeMap::new();
        for attempt in &self.attempts {
            *counts.entry(attempt.joined_by).or_insert(0) += 1;
        }
        counts
    }
}
