//! One pod's life, as far as it was told.

use std::net::IpAddr;

use super::pressure::Pressure;
use super::stops::Stops;
use crate::correlate::limits::{CONTAINER_LAG_NS, WATCH_LAG_NS};

/// What a pod does in the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It stands between the client and the serving pods.
    Gateway,
    /// It serves.
    Upstream,
}

/// One pod's life. `None`: not told.
#[derive(Clone, Debug)]
pub struct PodLife<'a> {
    /// UID.
    pub uid: &'a str,
    /// Name.
    pub name: &'a str,
    /// What it does.
    pub role: Option<Role>,
    /// Address.
    pub ip: Option<IpAddr>,
    /// Node.
    pub node: Option<&'a str>,
    /// `kind/name` of its controller.
    pub owner: Option<&'a str>,
    /// `pod-template-hash`.
    pub revision: Option<&'a str>,
    /// Label `version`.
    pub version: Option<&'a str>,
    /// First entry about it.
    pub first_seen_ns: Option<u64>,
    /// The watch worked from then on, and never told of this pod: it was gone by then.
    pub absent_since_ns: Option<u64>,
    /// Changes of its condition `Ready`.
    pub ready: Vec<(u64, bool)>,
    /// We asked the API to delete it.
    pub deletion_requested_ns: Option<u64>,
    /// The watch showed a deletion time stamp.
    pub terminating_ns: Option<u64>,
    /// The object was gone.
    pub gone_ns: Option<u64>,
    /// Changes of its endpoint's `ready`, in its own Service. Absent from the list is not ready.
    pub endpoint_ready: Vec<(u64, bool)>,
    /// A container was seen ended, and how.
    pub container_ends: Vec<(u64, String)>,
    /// Restarts of all its containers in the first and in the last entry.
    pub restarts: Option<(i32, i32)>,
    /// Throttled time at each reading.
    pub throttled_us: Vec<(u64, u64)>,
    /// Where the agent of its node saw its CPU limit stop it.
    pub stops: Vec<Stops>,
    /// How it fared on its node's CPUs.
    pub pressures: Vec<Pressure>,
    /// Its hook failed: first event and its text.
    pub hook_failed: Option<(u64, &'a str)>,
}

/// The first sign that a pod was on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEnd {
    /// When we learned of it.
    pub at_ns: u64,
    /// In words.
    pub what: String,
    /// Who says so.
    pub source: &'static str,
}

impl<'a> PodLife<'a> {
    pub(super) fn new(uid: &'a str, name: &'a str) -> Self {
        Self {
            uid,
            name,
            role: None,
            ip: None,
            node: None,
            owner: None,
            revision: None,
            version: None,
            first_seen_ns: None,
            absent_since_ns: None,
            ready: Vec::new(),
            deletion_requested_ns: None,
            terminating_ns: None,
            gone_ns: None,
            endpoint_ready: Vec::new(),
            container_ends: Vec::new(),
            restarts: None,
            throttled_us: Vec::new(),
            stops: Vec::new(),
            pressures: Vec::new(),
            hook_failed: None,
        }
    }

    /// For how long its CPU limit stopped it in that time, by readings that ended then. `None`: the agent has read of no stop at
    /// all, which is no proof that there was none.
    pub fn stopped_us(&self, from_ns: u64, until_ns: u64) -> Option<u64> {
        let inside = self.stops.iter().filter(|stop| (from_ns..until_ns).contains(&stop.to_ns));
        (!self.stops.is_empty()).then(|| inside.map(|stop| stop.us).sum())
    }

    /// Earliest sign of its deletion: our own request, else the first that the watches showed. The watch of endpoints can
    /// be a little ahead of the one of pods.
    pub fn deletion_ns(&self) -> Option<u64> {
        let Some(shown_ns) = self.terminating_ns.or(self.gone_ns) else { return self.deletion_requested_ns };
        let ahead =
            self.endpoint_removed_ns().filter(|ns| (shown_ns.saturating_sub(WATCH_LAG_NS)..shown_ns).contains(ns));
        Some(self.deletion_requested_ns.or(ahead).unwrap_or(shown_ns))
    }

    /// The sign that the pod was on its way out by `at_ns`, given how late the watch may tell us.
    pub fn ending_by(&self, at_ns: u64) -> Option<PodEnd> {
        let by = at_ns.saturating_add(WATCH_LAG_NS);
        let sign = |at: Option<u64>, what: &str, source| {
            at.map(|at_ns| PodEnd { at_ns, what: format!("{what} {}", self.name), source })
        };
        // Our own request has no lag: it must have come first.
        let asked = sign(self.deletion_requested_ns.filter(|ns| *ns <= at_ns), "asked to delete pod", "action");
        let deleted = [
            sign(self.terminating_ns, "the watch shows a deletion time stamp on pod", "kubernetes"),
            sign(self.gone_ns, "the watch shows the end of pod", "kubernetes"),
            sign(self.absent_since_ns, "gone before the watch began: pod", "kubernetes"),
        ];
        asked.or_else(|| deleted.into_iter().flatten().filter(|end| end.at_ns <= by).min_by_key(|end| end.at_ns))
    }

    /// The sign that a container of it had ended by `at_ns`, and the pod had not become ready again since.
    pub fn container_ended_by(&self, at_ns: u64) -> Option<PodEnd> {
        let by = at_ns.saturating_add(CONTAINER_LAG_NS);
        let (ended_ns, how) = self.container_ends.iter().rev().find(|(ns, _)| *ns <= by)?;
        let again = self.ready.iter().any(|(ns, ready)| *ready && ns > ended_ns && *ns < at_ns);
        (!again).then(|| PodEnd {
            at_ns: *ended_ns,
            what: format!("a container of pod {} ended: {how}", self.name),
            source: "kubernetes",
        })
    }

    /// Its endpoint was taken out of the Service: the last change from ready to not ready.
    pub fn endpoint_removed_ns(&self) -> Option<u64> {
        let mut removed = None;
        let mut was_ready = false;
        for (ns, ready) in &self.endpoint_ready {
            match (was_ready, ready) {
                (true, false) => removed = Some(*ns),
                (_, true) => removed = None,
                (false, false) => {}
            }
            was_ready = *ready;
        }
        removed
    }

    /// It was gone by then.
    pub fn was_over_by(&self, at_ns: u64) -> bool {
        self.gone_ns.is_some_and(|ns| ns <= at_ns) || self.absent_since_ns.is_some_and(|ns| ns <= at_ns)
    }

    /// The pod was ready from before `from_ns` until after `until_ns`, and nothing ended in between.
    pub fn ready_throughout(&self, from_ns: u64, until_ns: u64) -> bool {
        let state_at_start = self.ready.iter().rev().find(|(ns, _)| *ns <= from_ns).map(|(_, ready)| *ready);
        let changed = self.ready.iter().any(|(ns, ready)| !ready && (from_ns..=until_ns).contains(ns));
        state_at_start == Some(true)
            && !changed
            && self.absent_since_ns.is_none()
            && self.deletion_ns().is_none_or(|ns| ns > until_ns)
            && !self.container_ends.iter().any(|(ns, _)| (from_ns..=until_ns).contains(ns))
    }
}
