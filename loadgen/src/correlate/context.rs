//! Everything that the steps after the join read.

use observer::api::Run;

use super::cause::Dials;
use super::clients::Clients;
use super::clock::WallClock;
use super::clocks::Clocks;
use super::cluster::{Cluster, PodAt};
use super::join::{Attempt, Front, Join};
use super::seen::{Conn, Exch, Seen};
use crate::raw::RawRun;

/// One run, joined.
pub struct Context<'r, 'a> {
    /// The raw run.
    pub raw: &'a RawRun,
    /// The client's requests in order of `seq`.
    pub client: &'r Clients<'a>,
    /// Records.
    pub seen: &'r Seen<'a>,
    /// Pods and endpoints.
    pub cluster: &'r Cluster<'a>,
    /// What belongs together.
    pub join: &'r Join,
    /// Wall clock.
    pub clock: WallClock,
    /// The nodes' clocks.
    pub clocks: &'r Clocks<'a>,
    /// The largest error that two times can have against each other. `None`: no node.
    pub clock_error_ns: Option<u64>,
    /// When gateway pods dialled, if one of them had no port left.
    pub dials: Dials,
}

impl<'r, 'a> Context<'r, 'a> {
    /// There are records of at least one node.
    pub fn observed(&self) -> bool {
        !self.raw.records.nodes().is_empty()
    }

    /// Everything that the agents kept is there, and they had room for all of it.
    pub fn records_whole(&self) -> bool {
        let mut files = self.raw.observers.iter();
        let whole = |run: &Run| run.records_dropped == 0;
        self.raw.warnings.is_empty()
            && files.all(|file| file.records_end.is_some() && file.run.as_ref().is_some_and(whole))
    }

    /// How far wrong a span between the clocks of two nodes can be, by their positions; `None` is our own clock.
    pub fn clock_error_between_ns(&self, from: Option<u16>, to: Option<u16>) -> u64 {
        if from == to || self.clock_error_ns.is_none_or(|largest| largest == 0) {
            return 0;
        }
        let name = |node: Option<u16>| node.and_then(|node| self.seen.nodes.get(usize::from(node)).copied());
        self.clocks.error_between_ns(name(from), name(to))
    }

    /// How far a request is known at the gateway.
    pub fn front(&self, request: u32) -> &'r Front {
        &self.join.front[request as usize]
    }

    /// Its exchange at the gateway.
    pub fn front_exchange(&self, request: u32) -> Option<Exch<'r>> {
        self.front(request).exchange.get().map(|at| self.seen.exchange(at))
    }

    /// An attempt's connection at the gateway.
    pub fn conn(&self, attempt: &Attempt) -> Option<Conn<'r>> {
        attempt.conn.get().map(|at| self.seen.conn(at))
    }

    /// An attempt's exchange at the gateway.
    pub fn exchange(&self, attempt: &Attempt) -> Option<Exch<'r>> {
        attempt.exchange.get().map(|at| self.seen.exchange(at))
    }

    /// An attempt's exchange at the pod.
    pub fn pod_exchange(&self, attempt: &Attempt) -> Option<Exch<'r>> {
        attempt.pod_exchange.get().map(|at| self.seen.exchange(at))
    }

    /// Name of a pod.
    pub fn pod_name(&self, pod: PodAt) -> &'a str {
        self.cluster.pod(pod).name
    }
}
