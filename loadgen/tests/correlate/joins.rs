//! The join itself.

use loadgen::report::schema::JoinedBy;
use observer::record::Outcome;

use crate::synthetic::{World, correlate};

#[test]
fn successes_are_seen_everywhere_and_agree() {
    let mut world = World::new("steady");
    for n in 0..60 {
        world.success(f64::from(n) * 4.0, ["a", "b", "c"][n as usize % 3]);
    }
    let report = correlate(&world.finish());
    let seen = &report.completeness;
    assert_eq!((seen.requests_seen_at_gateway, seen.requests_seen_at_pod), (Some(60), Some(60)));
    let agreement = seen.pod_agreement.unwrap();
    assert_eq!((agreement.compared, agreement.agreed), (60, 60));
    assert_eq!(seen.join_conflicts, Some(0), "{:?}", report.warnings);
    assert_eq!(seen.goose_agrees, Some(true));
    assert!(report.run.complete && report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(report.balance.unwrap().pods_compared, 3);
}

#[test]
fn the_stretches_sum_to_the_latency() {
    let mut world = World::new("steady");
    world.success(10.0, "a");
    let report = correlate(&world.finish());
    let total: u64 = report.hops.iter().filter_map(|hop| hop.latency.as_ref()).map(|latency| latency.max_us).sum();
    assert_eq!(total, report.latency.from_due.unwrap().max_us);
    let pod = report.hops.iter().find(|hop| hop.name == "pod").unwrap();
    assert_eq!(pod.latency.as_ref().unwrap().max_us, 500);
}

#[test]
fn a_wrong_trace_id_in_the_thread_order_is_a_conflict() {
    let mut world = World::new("steady");
    let first = world.flow(10.0, "a");
    let mut second = world.flow(20.0, "b");
    // Its connection claims to have been opened for the first request.
    second.last().conn().opened_after.as_mut().unwrap().conn = first.front.as_ref().unwrap().conn;
    world.add(first);
    world.add(second);
    let report = correlate(&world.finish());
    assert_eq!(report.completeness.join_conflicts, Some(1));
    assert!(report.warnings.iter().any(|warning| warning.contains("carries the trace id of request 1")));
}

/// Events of conntrack are stamped when they are read. An agent that stands still for a second reads them after later bounds.
#[test]
fn a_translation_that_was_read_late_is_still_the_one_of_both_ends() {
    for late_us in [1_001_500, 30_000_000] {
        let mut world = World::new("steady");
        let first = world.flow(10.0, "a");
        let older = first.translation.clone().unwrap();
        let mut second = world.flow(5_000.0, "b");
        // The gateway has seen the same address and port before, for another port of the client.
        let seen = older.nat.source_seen;
        second.front_conn.as_mut().unwrap().remote = seen;
        second.front.as_mut().unwrap().remote = seen;
        let translation = second.translation.as_mut().unwrap();
        translation.nat.source_seen = seen;
        translation.nat.created_ns = second.client.sent_ns + late_us * 1_000;
        let mut third = world.flow(10_000.0, "a");
        // And the client has used its port before, which was seen as another one.
        third.client.local = first.client.local;
        let translation = third.translation.as_mut().unwrap();
        translation.client = older.client;
        translation.nat.created_ns = third.client.sent_ns + 1_000_250_000;
        for flow in [first, second, third] {
            world.add(flow);
        }
        let report = correlate(&world.finish());
        assert_eq!(report.completeness.join_conflicts, Some(0), "{late_us} µs: {:?}", report.warnings);
    }
}

#[test]
fn two_pods_for_one_connection_are_a_conflict() {
    let mut world = World::new("steady");
    let mut flow = world.flow(10.0, "a");
    flow.last().conn().nat.as_mut().unwrap().pod = Some(crate::synthetic::pod_ref("b"));
    world.add(flow);
    let report = correlate(&world.finish());
    assert_eq!(report.completeness.join_conflicts, Some(1));
}

#[test]
fn without_thread_order_only_the_time_is_left_and_told() {
    let mut world = World::new("pod-delete");
    world.delete(5.0, "a", 1_000.0);
    let mut flow = world.flow(10.0, "a").answered(502, 2);
    flow.last().failed(Outcome::Refused, 1).conn().opened_after = None;
    world.add(flow);
    world.success(10.1, "b");
    let report = correlate(&world.finish());
    assert_eq!(report.failures[0].joined_by, Some(JoinedBy::TimeWindow));
    assert_eq!(report.completeness.failures_joined_by["time_window"], 1);
    let told = report.failures[0].evidence.iter().any(|fact| fact.what.contains("only the time fits"));
    assert!(told);
}

#[test]
fn an_attempt_that_fits_nowhere_is_counted() {
    let mut world = World::new("steady");
    let mut flow = world.flow(10.0, "a");
    let front = flow.front.clone().unwrap();
    let mut extra = world.attempt(&front, "a", front.request_start_ns + 700_000_000);
    extra.failed(Outcome::Refused, 1).conn().opened_after = None;
    flow.tries.push(extra);
    world.add(flow);
    let report = correlate(&world.finish());
    assert_eq!(report.completeness.attempts_unjoined, Some(1));
    assert_eq!(report.ledger.succeeded, 1);
}

#[test]
fn a_request_of_somebody_else_is_neither_ours_nor_lost() {
    let mut world = World::new("steady");
    world.success(10.0, "a");
    let mut flow = world.flow(20.0, "a");
    flow.front.as_mut().unwrap().trace_id = Some("ffffffffffffffff0000000000000000".to_owned());
    flow.last().failed(Outcome::Refused, 1);
    world.add(flow);
    world.raw.client.pop();
    world.raw.run.sent = 1;
    let report = correlate(&world.finish());
    assert_eq!(report.ledger.sent, 1);
    assert_eq!(report.completeness.attempts_of_others, Some(1));
    assert_eq!(report.completeness.attempts_unjoined, Some(0));
}

#[test]
fn a_lost_client_record_is_unaccounted() {
    let mut world = World::new("steady");
    world.success(10.0, "a");
    world.success(20.0, "b");
    let mut raw = world.finish();
    raw.client.remove(0);
    let report = correlate(&raw);
    assert_eq!((report.ledger.sent, report.ledger.succeeded, report.ledger.unaccounted), (2, 1, 1));
    assert!(!report.run.complete);
    assert_eq!(report.completeness.join_conflicts, Some(0));
}
