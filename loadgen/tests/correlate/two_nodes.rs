//! A gateway on one node and pods on another: the join, and what is said of clocks and of nodes that nobody watched.

use loadgen::report::schema::{Cause, JoinedBy, Report};
use observer::record::{NatSource, Outcome};
use proptest::prelude::*;

use crate::synthetic::{OTHER, Wire, World, correlate, split};

const BOUNDS_NS: (u64, u64) = (30_000, 50_000);

fn successes() -> Wire {
    let mut world = World::new("steady");
    for n in 0..60 {
        world.success(f64::from(n) * 4.0, ["a", "b", "c"][n as usize % 3]);
    }
    world.finish()
}

fn assert_all_joined(report: &Report) {
    let seen = &report.completeness;
    assert_eq!((seen.requests_seen_at_gateway, seen.requests_seen_at_pod), (Some(60), Some(60)));
    let agreement = seen.pod_agreement.unwrap();
    assert_eq!((agreement.compared, agreement.agreed, report.ledger.unaccounted), (60, 60, 0));
    assert_eq!((seen.join_conflicts, seen.attempts_unjoined), (Some(0), Some(0)), "{:?}", report.warnings);
}

#[test]
fn both_halves_are_joined_wherever_they_were_seen() {
    for moved in [&["b", "c"][..], &["gw"], &["gw", "a"], &["gw", "a", "b", "c"]] {
        let report = correlate(&split(successes(), moved, BOUNDS_NS));
        assert_all_joined(&report);
        assert!(report.run.complete && report.warnings.is_empty(), "{moved:?}: {:?}", report.warnings);
        let nodes: Vec<_> =
            report.completeness.nodes.iter().map(|node| (node.gateway_pods, node.upstream_pods)).collect();
        let gateways = u64::from(moved.contains(&"gw"));
        let pods = moved.len() as u64 - gateways;
        assert_eq!(nodes, [(1 - gateways, 3 - pods), (gateways, pods)], "{moved:?}");
    }
}

#[test]
fn times_across_machines_carry_both_bounds_and_others_none() {
    let report = correlate(&split(successes(), &["b"], BOUNDS_NS));
    let bound = |name: &str| report.hops.iter().find(|hop| hop.name == name).unwrap().clock_error_bound_ns;
    assert_eq!(bound("client_to_gateway"), Some(30_000).filter(|_| bound("connect_to_gateway").is_none()));
    assert_eq!(bound("connect_to_gateway"), Some(30_000));
    assert_eq!((bound("gateway_to_pod"), bound("pod_to_gateway")), (Some(80_000), Some(80_000)));
    assert_eq!(bound("gateway_to_client"), Some(30_000));
    for name in ["queued_at_gateway", "gateway", "connect_to_pod", "gateway_write", "queued_at_pod", "pod"] {
        assert_eq!(bound(name), None, "{name} is on one clock");
    }
    assert_eq!(report.completeness.clock_error_bound_ns, Some(50_000));
    let other = report.completeness.nodes.iter().find(|node| node.name == OTHER).unwrap();
    assert_eq!((other.clock_offset_ns, other.clock_error_bound_ns), (Some(4_000_000_000_000), Some(50_000)));
}

#[test]
fn one_machine_has_no_bound() {
    let report = correlate(&successes());
    assert!(report.hops.iter().all(|hop| hop.clock_error_bound_ns.is_none()));
}

#[test]
fn attempts_without_data_keep_their_request_and_their_cause() {
    let mut world = World::new("pod-delete");
    world.delete(5.0, "b", 600.0);
    let mut refused = world.flow(10.0, "b").answered(502, 2);
    refused.last().failed(Outcome::Refused, 1);
    world.add(refused);
    let mut stale = world.flow(1_500.0, "b").answered(504, 1_002);
    stale.last().failed(Outcome::Unanswered, 1_000).source(NatSource::Reused);
    world.add(stale);
    for n in 0..20 {
        world.success(20.0 + f64::from(n) * 7.0, "c");
    }
    let report = correlate(&split(world.finish(), &["b", "c"], BOUNDS_NS));
    let told: Vec<_> = report.failures.iter().map(|it| (it.cause, it.pod.as_deref(), it.joined_by)).collect();
    let by_thread = Some(JoinedBy::ThreadOrder);
    let expected = [Cause::RefusedByTerminatedPod, Cause::StaleNatEntry].map(|cause| (cause, Some("b"), by_thread));
    assert_eq!(told, expected);
}

#[test]
fn a_node_that_nobody_watched_is_told() {
    let mut raw = split(successes(), &["b", "c"], BOUNDS_NS);
    raw.records.pop();
    raw.observers.pop();
    let report = correlate(&raw);
    let node = report.completeness.nodes.iter().find(|node| node.name == OTHER).unwrap();
    assert!(!node.observer && node.upstream_pods == 2 && node.records.is_none());
    let told = |warning: &String| warning.contains("node-2 has no observer") && warning.contains("2 serving pods");
    assert!(report.warnings.iter().any(told), "{:?}", report.warnings);
    assert_eq!((report.completeness.requests_seen_at_pod, report.ledger.succeeded), (Some(20), 60));
    assert_eq!(report.ledger.unaccounted, 0);
}

#[test]
fn what_each_node_lost_is_added_up() {
    let mut raw = split(successes(), &["b"], BOUNDS_NS);
    for (file, lost) in raw.observers.iter_mut().zip([3, 4]) {
        file.after.as_mut().unwrap().loss.events_dropped = lost;
        file.run.as_mut().unwrap().records_dropped = lost;
    }
    let report = correlate(&raw);
    assert_eq!((report.completeness.events_dropped, report.completeness.records_dropped), (Some(7), Some(7)));
    let of_nodes: Vec<_> = report.completeness.nodes.iter().map(|node| node.events_dropped).collect();
    assert_eq!(of_nodes, [Some(3), Some(4)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_offset_that_is_wrong_within_its_bound_changes_no_join(
        wrong_us in (-300_i64..300, -300_i64..300),
        moved in prop::sample::subsequence(vec!["gw", "a", "b", "c"], 0..=4),
    ) {
        let mut raw = split(successes(), &moved, (300_000, 300_000));
        raw.observers[0].clock.offset_ns += wrong_us.0 * 1_000;
        raw.observers[1].clock.offset_ns += wrong_us.1 * 1_000;
        assert_all_joined(&correlate(&raw));
    }
}
