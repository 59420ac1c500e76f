//! The pod was alive.

use loadgen::report::schema::{Cause, JoinedBy};
use observer::record::{Close, Outcome};

use super::{failure_of, is, says};
use crate::synthetic::{MS, World};
use loadgen::raw::ClientErrorKind;

const TRACE: Option<JoinedBy> = Some(JoinedBy::Trace);

#[test]
fn the_pod_itself_answered_500() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(500, 3);
    flow.last().exchange().status = Some(500);
    flow.last().pod_exchange.as_mut().unwrap().status = Some(500);
    is(&failure_of(world, flow), Cause::Pod5xx, Some("a"), TRACE);
}

#[test]
fn the_gateway_made_an_error_of_a_good_answer() {
    let mut world = World::new("steady");
    let flow = world.flow(600.0, "a").answered(502, 3);
    is(&failure_of(world, flow), Cause::GatewayError, Some("a"), TRACE);
}

#[test]
fn the_gateway_answered_without_an_attempt() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(503, 1);
    flow.tries.clear();
    let failure = failure_of(world, flow);
    is(&failure, Cause::GatewayError, Some("gw"), TRACE);
    says(&failure, "kernel", "without having tried any pod");
}

#[test]
fn the_gateway_had_no_source_port() {
    let mut world = World::new("steady");
    // Two that have their ports, the one to the same address as the one that finds none.
    for at_ms in [500.0, 550.0] {
        let flow = world.flow(at_ms, "a");
        world.add(flow);
    }
    let mut flow = world.flow(600.0, "a").answered(502, 1);
    let conn = flow.last().failed(Outcome::NoSourcePort, 0).conn();
    conn.local.set_port(0);
    conn.nat = None;
    let failure = failure_of(world, flow);
    is(&failure, Cause::GatewayOutOfPorts, Some("gw"), Some(JoinedBy::ThreadOrder));
    says(&failure, "kernel", "had no free source port for a connection to");
    says(&failure, "kernel", "2 connections from");
}

#[test]
fn no_attempt_seen_while_events_were_lost_is_unknown() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(503, 1);
    flow.tries.clear();
    world.add(flow);
    let mut raw = world.finish();
    raw.observers[0].records_end.as_mut().unwrap().loss.insert("ring_full".into(), 3);
    let report = crate::synthetic::correlate(&raw);
    is(&report.failures[0], Cause::Unknown, None, None);
}

#[test]
fn the_pod_was_too_slow_for_the_gateway() {
    let mut world = World::new("slow-pod");
    let mut flow = world.flow(600.0, "a").answered(504, 3_001);
    flow.last().cut(Close::FinLocal, 3_000);
    let failure = failure_of(world, flow);
    is(&failure, Cause::PodTooSlow, Some("a"), TRACE);
    says(&failure, "kernel", "its answer was not complete when the wait ended");
}

#[test]
fn a_pod_that_was_too_slow_for_want_of_a_cpu_is_told_so() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(504, 3_001);
    flow.last().cut(Close::FinLocal, 3_000);
    let sent_ns = flow.client.sent_ns;
    world.waited("a", (sent_ns + 100 * MS, sent_ns + 2_600 * MS), 2_000_000);
    let failure = failure_of(world, flow);
    is(&failure, Cause::PodTooSlow, Some("a"), TRACE);
    says(&failure, "kernel", "pod a had work and got no CPU for 2000 ms of that time");
}

#[test]
fn a_pod_that_was_too_slow_by_itself_is_told_with_how_long_it_ran() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(504, 3_001);
    flow.last().cut(Close::FinLocal, 3_000);
    let sent_ns = flow.client.sent_ns;
    world.fared("a", (sent_ns - 100 * MS, sent_ns - 50 * MS), Some(0), Some(100));
    world.fared("a", (sent_ns + 100 * MS, sent_ns + 2_600 * MS), Some(0), Some(2_400_000));
    let failure = failure_of(world, flow);
    is(&failure, Cause::PodTooSlow, Some("a"), TRACE);
    says(&failure, "kernel", "pod a ran for 2400 to 2450 ms in the 3000 ms in which it had the request");
}

#[test]
fn the_pod_was_too_slow_for_the_client() {
    let mut world = World::new("slow-pod");
    let mut flow = world.flow(600.0, "a").errored(ClientErrorKind::Timeout, 2_000);
    flow.last().cut(Close::FinLocal, 2_005);
    is(&failure_of(world, flow), Cause::ClientTimeout, Some("a"), TRACE);
}

#[test]
fn a_pod_that_vanished_is_not_slow() {
    let mut world = World::new("pod-delete");
    world.delete(700.0, "a", 100.0);
    let mut flow = world.flow(600.0, "a").answered(504, 3_001);
    flow.last().cut(Close::FinLocal, 3_000);
    is(&failure_of(world, flow), Cause::CutInFlight, Some("a"), TRACE);
}

#[test]
fn the_request_itself_was_wrong() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(404, 3);
    flow.last().exchange().status = Some(404);
    is(&failure_of(world, flow), Cause::RequestError, Some("a"), TRACE);
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(413, 1);
    flow.tries.clear();
    is(&failure_of(world, flow), Cause::RequestError, None, None);
}

#[test]
fn sent_again_and_again_and_never_arrived() {
    let mut world = World::new("steady");
    let mut flow = world.flow(600.0, "a").answered(504, 3_001);
    flow.last().cut(Close::FinLocal, 3_000).conn().retransmits = 4;
    flow.last().pod_exchange = None;
    is(&failure_of(world, flow), Cause::NetworkLoss, Some("a"), TRACE);
}
