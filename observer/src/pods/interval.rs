//! Who owned an address when.
//!
//! Addresses are handed out again and again, so "who has this address" is the wrong question; "who had it at that time"
//! has an answer even after the pod is gone.

use std::sync::Arc;

/// After its pod is deleted an address still names it for this long, unless another pod has got the address since.
/// A stale NAT entry can send packets there for 120 s (the kernel's `SYN_SENT` timeout), twice if it was just refreshed.
pub const TOMBSTONE_NS: u64 = 300 * 1_000_000_000;

/// A pod holds its address before the API server says so (the kubelet reports about once a second).
pub const LEAD_NS: u64 = 3 * 1_000_000_000;

/// One pod's hold on one address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    uid: Arc<str>,
    from_ns: u64,
    until_ns: Option<u64>,
}

/// Everybody who held one address, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners(Vec<Interval>);

impl Owners {
    /// `uid` holds the address from `at_ns` on. Says nothing new when it already does.
    pub fn hold(&mut self, uid: &Arc<str>, at_ns: u64) {
        if self.0.iter().any(|held| held.uid == *uid && held.until_ns.is_none()) {
            return;
        }
        let position = self.0.partition_point(|held| held.from_ns <= at_ns);
        self.0.insert(position, Interval { uid: Arc::clone(uid), from_ns: at_ns, until_ns: None });
    }

    /// `uid` gave the address up at `at_ns`.
    pub fn release(&mut self, uid: &str, at_ns: u64) {
        for held in self.0.iter_mut().filter(|held| &*held.uid == uid && held.until_ns.is_none()) {
            held.until_ns = Some(at_ns.max(held.from_ns));
        }
    }

    /// The owner at `at_ns`: the most recently started interval that contains it; else the last one that ended before
    /// (a tombstone); else the one that was just about to be reported. `None` when two answers are equally good.
    pub fn at(&self, at_ns: u64) -> Option<&Arc<str>> {
        let started = &self.0[..self.0.partition_point(|held| held.from_ns <= at_ns)];
        if let Some(held) = started.iter().rev().find(|held| held.until_ns.is_none_or(|until| at_ns < until)) {
            return Some(&held.uid);
        }
        let tombstone = started
            .iter()
            .filter(|held| held.until_ns.is_some_and(|until| at_ns - until <= TOMBSTONE_NS))
            .max_by_key(|held| held.until_ns);
        let lead = self.0.get(started.len()).filter(|held| held.from_ns - at_ns <= LEAD_NS);
        match (tombstone, lead) {
            (Some(only), None) | (None, Some(only)) => Some(&only.uid),
            (Some(before), Some(after)) if before.uid == after.uid => Some(&before.uid),
            _ => None,
        }
    }

    /// Forgets what no lookup at or after `now_ns` minus the tombstone time can need.
    pub fn forget(&mut self, now_ns: u64) {
        self.0.retain(|held| held.until_ns.is_none_or(|until| now_ns.saturating_sub(until) <= 2 * TOMBSTONE_NS));
    }

    /// Nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn uid(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    fn at(owners: &Owners, seconds: u64) -> Option<&str> {
        owners.at(seconds * SECOND).map(|uid| &**uid)
    }

    #[test]
    fn a_dead_pod_does_not_win_a_reused_address() {
        let mut owners = Owners::default();
        owners.hold(&uid("old"), 10 * SECOND);
        owners.release("old", 20 * SECOND);
        owners.hold(&uid("new"), 30 * SECOND);
        assert_eq!(at(&owners, 15), Some("old"));
        assert_eq!(at(&owners, 25), Some("old"), "a tombstone");
        assert_eq!(at(&owners, 31), Some("new"));
    }

    #[test]
    fn between_a_tombstone_and_an_arrival_nobody_is_named() {
        let mut owners = Owners::default();
        owners.hold(&uid("old"), 10 * SECOND);
        owners.release("old", 20 * SECOND);
        owners.hold(&uid("new"), 30 * SECOND);
        assert_eq!(at(&owners, 28), None);
    }

    #[test]
    fn an_address_leads_its_report_and_outlives_its_pod() {
        let mut owners = Owners::default();
        owners.hold(&uid("a"), 10 * SECOND);
        assert_eq!(at(&owners, 8), Some("a"));
        assert_eq!(at(&owners, 6), None);
        owners.release("a", 20 * SECOND);
        assert_eq!(at(&owners, 20 + 299), Some("a"));
        assert_eq!(at(&owners, 20 + 301), None);
    }

    #[test]
    fn a_successor_seen_before_the_release_of_its_predecessor_wins_from_its_start() {
        let mut owners = Owners::default();
        owners.hold(&uid("old"), 10 * SECOND);
        owners.hold(&uid("new"), 18 * SECOND);
        owners.release("old", 25 * SECOND);
        assert_eq!(at(&owners, 17), Some("old"));
        assert_eq!(at(&owners, 19), Some("new"));
    }

    proptest! {
        /// Non-overlapping owners in any order of arrival: inside its interval a pod is always named, and no pod is ever
        /// named before another's interval has ended or outside of its lead and tombstone.
        #[test]
        fn inside_its_interval_a_pod_is_named(gaps in proptest::collection::vec((1_u64..400, 1_u64..400), 1..12), probe in 0_u64..10_000) {
            let mut owners = Owners::default();
            let mut spans = Vec::new();
            let mut clock = 10_u64;
            for (index, (gap, length)) in gaps.into_iter().enumerate() {
                let (from, until) = (clock + gap, clock + gap + length);
                spans.push((uid(&index.to_string()), from, until));
                clock = until;
            }
            for (uid, from, until) in spans.iter().rev() {
                owners.hold(uid, from * SECOND);
                owners.release(uid, until * SECOND);
            }
            let named = at(&owners, probe);
            match spans.iter().find(|(_, from, until)| (*from..*until).contains(&probe)) {
                Some((uid, _, _)) => prop_assert_eq!(named, Some(&**uid)),
                None => if let Some(named) = named {
                    let (_, from, until) = spans.iter().find(|(uid, _, _)| &**uid == named).unwrap();
                    prop_assert!(probe + 3 >= *from && probe <= until + 300);
                    let between = |other: &(Arc<str>, u64, u64)| other.1 > *until && other.1 <= probe;
                    prop_assert!(!spans.iter().any(between));
                },
            }
        }
    }
}
