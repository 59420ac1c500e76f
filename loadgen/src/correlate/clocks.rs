//! The nodes' clocks against ours and against each other: how far apart, and how far wrong that can be.

use std::collections::BTreeMap;

use crate::raw::{ObserverFile, ShardFile};

/// One node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeClock<'a> {
    /// Node's clock minus ours.
    pub offset_ns: i64,
    /// The offset is right within this, at any time of the run.
    pub error_bound_ns: u64,
    /// It is our own clock.
    pub same_machine: bool,
    boot_id: &'a str,
}

/// All nodes' clocks.
#[derive(Clone, Debug, Default)]
pub struct Clocks<'a> {
    by_node: BTreeMap<&'a str, NodeClock<'a>>,
    /// How far wrong the client's own times can be: its senders may have been elsewhere.
    client_error_ns: u64,
}

impl<'a> Clocks<'a> {
    /// From what was measured before and after the run. Nodes that are one machine have one clock: the best of their
    /// measurements is the offset of all of them.
    pub fn of(observers: &'a [ObserverFile], shards: &[ShardFile]) -> Self {
        let mut by_node: BTreeMap<&str, NodeClock<'_>> =
            observers.iter().map(|f| (f.node.as_str(), measured(f))).collect();
        let mut best: BTreeMap<&str, NodeClock<'_>> = BTreeMap::new();
        for clock in by_node.values().filter(|clock| !clock.boot_id.is_empty()) {
            let known = best.entry(clock.boot_id).or_insert(*clock);
            if clock.error_bound_ns < known.error_bound_ns {
                *known = *clock;
            }
        }
        for clock in by_node.values_mut() {
            *clock = best.get(clock.boot_id).copied().unwrap_or(*clock);
        }
        let client_error_ns = shards.iter().map(|shard| shard.clock.over_run(shard.clock_after.as_ref()).1).max();
        Self { by_node, client_error_ns: client_error_ns.unwrap_or(0) }
    }

    /// A node's clock. `None`: it was not measured.
    pub fn of_node(&self, node: &str) -> Option<NodeClock<'a>> {
        self.by_node.get(node).copied()
    }

    /// How far wrong a span can be that begins on one clock and ends on another; `None` is our own clock. A clock that
    /// was not measured is taken for ours, and told as such elsewhere.
    pub fn error_between_ns(&self, from: Option<&str>, to: Option<&str>) -> u64 {
        let clock = |node: Option<&str>| node.and_then(|node| self.of_node(node));
        match (clock(from), clock(to)) {
            (Some(a), Some(b)) if from == to || (!a.boot_id.is_empty() && a.boot_id == b.boot_id) => 0,
            (a, b) => {
                let nodes: u64 = [a, b].into_iter().flatten().map(|clock| clock.error_bound_ns).sum();
                // At most one end is the client's; two ends of its own are one sender's.
                nodes + if from.is_none() == to.is_none() { 0 } else { self.client_error_ns }
            }
        }
    }

    /// The largest bound of all nodes. `None`: no node.
    pub fn largest_error_ns(&self) -> Option<u64> {
        self.by_node.values().map(|clock| clock.error_bound_ns).max()
    }

    /// The largest error that any two times of the run can have against each other. `None`: no node.
    pub fn largest_error_between_ns(&self) -> Option<u64> {
        let nodes = || self.by_node.keys().map(|node| Some(*node));
        let pairs = nodes().flat_map(|from| std::iter::once(None).chain(nodes()).map(move |to| (from, to)));
        pairs.map(|(from, to)| self.error_between_ns(from, to)).max()
    }
}

fn measured(file: &ObserverFile) -> NodeClock<'_> {
    let (offset_ns, error_bound_ns) = file.clock.over_run(file.clock_after.as_ref());
    NodeClock { offset_ns, error_bound_ns, same_machine: file.clock.same_machine, boot_id: &file.clock.node.boot_id }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use observer::api::{Clock, Cost, Loss, Status};
    use proptest::prelude::*;

    use super::*;
    use crate::raw::ClockOffset;

    fn offset(boot_id: &str, offset_ns: i64, error_bound_ns: u64) -> ClockOffset {
        let node = Clock { node: "n".into(), boot_id: boot_id.into(), monotonic_ns: 0, realtime_ns: 0 };
        ClockOffset { node, offset_ns, error_bound_ns, same_machine: false }
    }

    fn file(node: &str, clock: ClockOffset, clock_after: Option<ClockOffset>) -> ObserverFile {
        let before = Status {
            version: String::new(),
            node: node.into(),
            kernel: String::new(),
            boot_id: clock.node.boot_id.clone(),
            started_ns: 0,
            now_ns: 0,
            canary_seen: true,
            cgroup: String::new(),
            programs: Vec::new(),
            watches: Vec::new(),
            ports: Vec::new(),
            loss: Loss::default(),
            cost: Cost::default(),
            counters: BTreeMap::new(),
            hops: Vec::new(),
            runs: Vec::new(),
        };
        let node = node.to_owned();
        ObserverFile {
            node,
            before,
            after: None,
            run: None,
            records_end: None,
            clock,
            clock_after,
            problems: Vec::new(),
        }
    }

    #[test]
    fn two_machines_add_their_errors_and_one_machine_has_none() {
        let files = [
            file("a", offset("x", 1_000, 30), None),
            file("b", offset("y", -500, 50), None),
            file("c", offset("x", 1_010, 20), None),
        ];
        let clocks = Clocks::of(&files, &[]);
        assert_eq!(clocks.error_between_ns(None, Some("b")), 50);
        assert_eq!(clocks.error_between_ns(Some("a"), Some("a")), 0);
        assert_eq!(clocks.error_between_ns(Some("a"), Some("c")), 0, "two nodes of one machine");
        assert_eq!(clocks.error_between_ns(Some("a"), Some("b")), 70);
        assert_eq!(clocks.of_node("a").unwrap().offset_ns, 1_010, "the better of the machine's two measurements");
        assert_eq!((clocks.largest_error_ns(), clocks.largest_error_between_ns()), (Some(50), Some(70)));
        assert_eq!(Clocks::of(&[], &[]).largest_error_between_ns(), None);
    }

    proptest! {
        #[test]
        fn a_drifting_clock_stays_within_the_bound(
            first in -1_000_000_000_i64..1_000_000_000,
            drift_ppb in -200_000_i64..200_000,
            seconds in 1_i64..600,
            part in 0_i64..=1_000,
            errors in (0_u64..5_000_000, 0_u64..5_000_000),
            wrong in (-1_000_i64..=1_000, -1_000_i64..=1_000),
        ) {
            let true_at = |ms: i64| first + drift_ppb * ms / 1_000;
            let told = |offset: i64, error: u64, wrong: i64| offset + error as i64 * wrong / 1_000;
            let last = seconds * 1_000;
            let before = offset("x", told(true_at(0), errors.0, wrong.0), errors.0);
            let after = offset("x", told(true_at(last), errors.1, wrong.1), errors.1);
            let files = [file("a", before, Some(after))];
            let clock = Clocks::of(&files, &[]).of_node("a").unwrap();
            // A nanosecond each for the three divisions above.
            prop_assert!(true_at(last * part / 1_000).abs_diff(clock.offset_ns) <= clock.error_bound_ns + 3);
        }
    }
}
