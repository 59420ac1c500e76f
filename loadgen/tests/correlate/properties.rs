//! What holds for every run, whatever went wrong in it.

use loadgen::raw::ClientErrorKind;
use observer::record::{Close, NatSource, Outcome};
use proptest::prelude::*;

use crate::synthetic::{Flow, Wire, World, correlate};

/// One request's fate.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Success,
    Refused,
    Unanswered,
    Stale,
    Cut,
    ClientRefused,
    ClientReset,
    ClientTimeout,
    NotSeen,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Success),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Unanswered),
        1 => Just(Fate::Stale),
        1 => Just(Fate::Cut),
        1 => Just(Fate::ClientRefused),
        1 => Just(Fate::ClientReset),
        1 => Just(Fate::ClientTimeout),
        1 => Just(Fate::NotSeen),
    ]
}

fn apply(mut flow: Flow, fate: Fate) -> Flow {
    match fate {
        Fate::Success => return flow,
        Fate::Refused => flow.last().failed(Outcome::Refused, 1),
        Fate::Unanswered => flow.last().failed(Outcome::Unanswered, 1_000),
        Fate::Stale => flow.last().failed(Outcome::Unanswered, 1_000).source(NatSource::Reused),
        Fate::Cut => flow.last().cut(Close::ResetRemote, 2),
        Fate::ClientRefused => return flow.errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway(),
        Fate::ClientReset => return flow.errored(ClientErrorKind::Reset, 3),
        Fate::ClientTimeout => return flow.errored(ClientErrorKind::Timeout, 500),
        Fate::NotSeen => {
            flow.front = None;
            flow.front_conn = None;
            flow.translation = None;
            flow.tries.clear();
            return flow;
        }
    };
    flow.answered(if matches!(fate, Fate::Unanswered | Fate::Stale) { 504 } else { 502 }, 1_002)
}

fn run(fates: &[(Fate, u8, u16)], deleted: &[(u8, u16)], lost: &[u8]) -> Wire {
    let pods = ["a", "b", "c"];
    let mut world = World::new("rollout");
    for (pod, ms) in deleted {
        world.terminate(f64::from(*ms), pods[usize::from(*pod) % 3], 700.0);
    }
    for (fate, pod, ms) in fates {
        let flow = world.flow(f64::from(*ms), pods[usize::from(*pod) % 3]);
        world.add(apply(flow, *fate));
    }
    let mut raw = world.finish();
    for place in lost {
        let records = &mut raw.records[0].1;
        if !records.is_empty() {
            records.remove(usize::from(*place) % records.len());
        }
    }
    raw
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_closes(
        fates in prop::collection::vec((fate(), any::<u8>(), 0_u16..2_000), 0..40),
        deleted in prop::collection::vec((0_u8..3, 0_u16..2_000), 0..2),
        lost in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let raw = run(&fates, &deleted, &lost);
        let report = correlate(&raw);
        let ledger = &report.ledger;
        prop_assert_eq!(ledger.sent, ledger.succeeded + ledger.failed + ledger.unaccounted);
        prop_assert_eq!(ledger.failed, ledger.by_cause.values().sum::<u64>());
        prop_assert_eq!(ledger.failed, report.failures.len() as u64);
        prop_assert_eq!(ledger.sent, ledger.by_status.values().sum::<u64>() + ledger.unaccounted);
        prop_assert_eq!(ledger.failed, report.completeness.failures_joined_by.values().sum::<u64>());
        for failure in &report.failures {
            prop_assert!(!failure.evidence.is_empty());
            prop_assert!(failure.evidence.is_sorted_by_key(|fact| fact.at_ns));
        }
        let pods: u64 = report.pods.iter().filter(|pod| pod.role == "upstream").filter_map(|pod| pod.requests).sum();
        prop_assert!(pods <= ledger.sent, "a request is counted at one serving pod at most");
    }

    #[test]
    fn the_order_of_the_files_plays_no_part(
        fates in prop::collection::vec((fate(), any::<u8>(), 0_u16..2_000), 0..25),
        deleted in prop::collection::vec((0_u8..3, 0_u16..2_000), 0..2),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let raw = run(&fates, &deleted, &[]);
        let mut other = raw.clone();
        let records = &mut other.records[0].1;
        records.reverse();
        if !records.is_empty() {
            let by = shuffle.index(records.len());
            records.rotate_left(by);
        }
        other.client.reverse();
        // One node's records in two files are the same as in one.
        let half = records.len() / 2;
        let rest = records.split_off(half);
        let node = other.records[0].0.clone();
        other.records.insert(0, (node, rest));
        prop_assert_eq!(correlate(&raw), correlate(&other));
    }
}
