//! The client got no answer.

use loadgen::raw::{ClientErrorKind, Lag};
use loadgen::report::schema::{Cause, Failure, JoinedBy};
use observer::record::Outcome;

use super::{failure_of, is, says};
use crate::synthetic::{Flow, MS, World, correlate, pod_ref};

#[test]
fn refused_by_a_gateway_being_deleted() {
    let mut world = World::new("rollout");
    world.delete(500.0, "gw", 1_000.0);
    let flow = world.flow(600.0, "a").errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway();
    let failure = failure_of(world, flow);
    is(&failure, Cause::GatewayTerminated, Some("gw"), Some(JoinedBy::Tuple));
    says(&failure, "conntrack", "gateway pod gw");
}

#[test]
fn refused_by_one_of_two_gateways_is_only_a_guess_by_time() {
    let mut world = World::new("rollout");
    world.pod(-1_000.0, "gw2", "api-gateway");
    world.delete(500.0, "gw", 1_000.0);
    world.delete(500.0, "gw2", 1_000.0);
    let first = world.flow(600.0, "a").errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway();
    let mut second = world.flow(600.2, "a").errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway();
    second.translation.as_mut().unwrap().nat.pod = Some(pod_ref("gw2"));
    world.add(first);
    world.add(second);
    let report = correlate(&world.finish());
    // The second was sent after the first translation had been made, so only one can be its own.
    assert_eq!(report.completeness.failures_joined_by["time_window"], 1);
    assert_eq!(report.completeness.failures_joined_by["tuple"], 1);
    assert_eq!(report.ledger.by_cause[&Cause::GatewayTerminated], 2);
}

#[test]
fn refused_by_a_gateway_that_stays_is_unknown() {
    let mut world = World::new("steady");
    let flow = world.flow(600.0, "a").errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway();
    is(&failure_of(world, flow), Cause::Unknown, Some("gw"), Some(JoinedBy::Tuple));
}

#[test]
fn an_answered_request_keeps_its_own_translation() {
    // The refused request lies between two answered ones; theirs must not be taken for it.
    let mut world = World::new("rollout");
    world.delete(590.0, "gw", 1_000.0);
    world.success(599.9, "a");
    let flow = world.flow(600.0, "a").errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway();
    let made_ns = flow.translation.as_ref().unwrap().nat.created_ns;
    world.success(600.1, "b");
    let failure = failure_of(world, flow);
    is(&failure, Cause::GatewayTerminated, Some("gw"), Some(JoinedBy::Tuple));
    let found = failure.evidence.iter().find(|fact| fact.source == "conntrack").unwrap();
    assert_eq!(found.at_ns, made_ns);
}

#[test]
fn reset_by_a_gateway_being_deleted() {
    let mut world = World::new("rollout");
    world.delete(500.0, "gw", 101.0);
    let flow = world.flow(600.0, "a").errored(ClientErrorKind::Reset, 3);
    is(&failure_of(world, flow), Cause::GatewayTerminated, Some("gw"), Some(JoinedBy::Trace));
}

#[test]
fn no_endpoint_of_the_gateway() {
    let mut world = World::new("steady");
    world.no_endpoints(500.0, "api-gateway");
    let mut flow = world.flow(600.0, "a").errored(ClientErrorKind::ConnectRefused, 1).never_at_gateway();
    flow.translation = None;
    is(&failure_of(world, flow), Cause::NoReadyEndpoint, None, None);
}

#[test]
fn the_client_gave_up() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").errored(ClientErrorKind::Timeout, 2_000).never_at_gateway();
    flow.translation = None;
    is(&failure_of(world, flow), Cause::ClientTimeout, None, None);
}

/// The failure of a client that waits 10 s (`--timeout`): what pod a answered was complete at the gateway after so long, the client ended after
/// so long, and the load generator did not run for so long before that.
fn unread_answer(written_ms: u64, ended_ms: u64, lag_ms: u64) -> Failure {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(200, written_ms);
    let front = flow.front.clone();
    flow = flow.errored(ClientErrorKind::Timeout, ended_ms);
    flow.front = front;
    stalled(world, flow, lag_ms)
}

/// The failure of a client that did not run for so long before its end.
fn stalled(mut world: World, flow: Flow, lag_ms: u64) -> Failure {
    let ran_ns = flow.client.end_ns;
    world.add(flow);
    let mut raw = world.finish();
    raw.lags.push(Lag { due_ns: ran_ns - lag_ms * MS, ran_ns, shard: None });
    correlate(&raw).failures.remove(0)
}

#[test]
fn an_answer_in_time_that_a_stopped_client_never_read() {
    let unread = unread_answer(200, 20_000, 19_900);
    is(&unread, Cause::ClientStalled, Some("a"), Some(JoinedBy::Trace));
    says(&unread, "kernel", "it was in time");
    says(&unread, "client", "the load generator itself did not run for 19800 of the 19800 ms from then on");
    // It ran for most of the time, and something else kept the answer from it.
    is(&unread_answer(200, 15_000, 5_000), Cause::ClientTimeout, Some("a"), Some(JoinedBy::Trace));
    let late = unread_answer(11_000, 20_000, 19_900);
    is(&late, Cause::ClientTimeout, Some("a"), Some(JoinedBy::Trace));
    says(&late, "kernel", "the client waits 10000 ms");
}

#[test]
fn a_stopped_client_that_had_sent_nothing() {
    let unsent = |lag_ms: u64| {
        let mut world = World::new("steady");
        let mut flow = world.flow(600.0, "a").errored(ClientErrorKind::Timeout, 20_000).never_at_gateway();
        flow.translation = None;
        stalled(world, flow, lag_ms)
    };
    let never = unsent(19_900);
    is(&never, Cause::ClientStalled, None, None);
    says(&never, "kernel", "no gateway pod had received the request");
    is(&unsent(12_000), Cause::ClientTimeout, None, None);
}

#[test]
fn the_client_gave_up_waiting_for_a_dead_address() {
    // What it waited for is the cause, not its patience.
    let mut world = World::new("pod-delete");
    world.delete(100.0, "a", 300.0);
    let mut flow = world.flow(600.0, "a").errored(ClientErrorKind::Timeout, 2_000);
    flow.last().failed(Outcome::Unanswered, 2_000);
    is(&failure_of(world, flow), Cause::UnansweredPodIp, Some("a"), Some(JoinedBy::ThreadOrder));
}

#[test]
fn without_an_observer_nothing_is_claimed() {
    let mut world = World::new("pod-delete");
    world.delete(500.0, "a", 1_000.0);
    let flow = world.flow(600.0, "a").answered(502, 2);
    world.add(flow);
    let mut raw = world.finish();
    raw.records.clear();
    raw.observers.clear();
    let report = correlate(&raw);
    assert_eq!(report.failures[0].cause, Cause::Unknown);
    assert_eq!(report.completeness.requests_seen_at_gateway, None);
    assert_eq!(report.completeness.events_dropped, None);
    assert!(report.warnings.iter().any(|warning| warning.contains("no records of an observer")));
}

#[test]
fn a_syn_that_never_reached_the_node() {
    let lost = |dropped: u64, untold: u64, ready: bool| {
        let mut world = World::new("steady");
        if !ready {
            world.container_ends(500.0, "gw", "Error:1");
        }
        let mut flow = world.flow(600.0, "a").errored(ClientErrorKind::ConnectTimeout, 3_000).never_at_gateway();
        flow.translation = None;
        world.add(flow);
        let mut raw = world.finish();
        if dropped > 0 {
            raw.observers[0].records_end.as_mut().unwrap().loss.insert("conntrack".into(), dropped);
        }
        let counters = &mut raw.observers[0].after.as_mut().unwrap().counters;
        counters.insert("conntrack_event_missed".into(), untold);
        correlate(&raw).failures.remove(0)
    };
    let failure = lost(0, 0, true);
    is(&failure, Cause::NetworkLoss, None, None);
    says(&failure, "conntrack", "no connection of this request was translated");
    // Where events were lost its entry may be among them.
    is(&lost(1, 0, true), Cause::Unknown, None, None);
    is(&lost(0, 1, true), Cause::Unknown, None, None);
    is(&lost(0, 0, false), Cause::Unknown, None, None);
}

#[test]
fn an_old_entry_to_a_gateway_pod_that_is_gone() {
    let late = |first: ClientErrorKind| {
        let mut world = World::new("rollout");
        world.pod(-1_000.0, "gw2", "api-gateway");
        world.delete(500.0, "gw", 300.0);
        let left = world.flow(900.0, "a").errored(first, 1_000).never_at_gateway();
        world.add(left);
        let mut flow = world.flow(9_000.0, "a").errored(ClientErrorKind::ConnectTimeout, 1_000).never_at_gateway();
        flow.translation = None;
        failure_of(world, flow)
    };
    let failure = late(ClientErrorKind::ConnectTimeout);
    is(&failure, Cause::StaleNatEntry, Some("gw"), Some(JoinedBy::TimeWindow));
    says(&failure, "conntrack", "no rule was consulted");
    // A refusal ends its entry.
    is(&late(ClientErrorKind::ConnectRefused), Cause::GatewayTerminated, Some("gw"), Some(JoinedBy::TimeWindow));
}
