//! Kept connections between gateway and pod.

use loadgen::report::schema::{Cause, JoinedBy};
use observer::record::{Close, SocketCall, SocketCallKind};

use super::{failure_of, is, sound};
use crate::synthetic::{Flow, World, correlate};

const TRACE: Option<JoinedBy> = Some(JoinedBy::Trace);

/// The last attempt went over a connection that had carried another request before.
fn on_a_kept_connection(flow: &mut Flow) {
    let (front_conn, index) = flow.front.as_ref().map(|front| (front.conn, front.index)).unwrap();
    let attempt = flow.last();
    let written_ns = attempt.exchange().request_start_ns;
    let conn = attempt.conn();
    conn.opened_ns -= 900_000_000;
    conn.established_ns = Some(conn.opened_ns + 100_000);
    // It was opened for another request long ago.
    conn.opened_after = None;
    conn.exchanges = 2;
    let exchange = attempt.exchange();
    exchange.index = 1;
    exchange.reused = true;
    exchange.sent_after = Some(SocketCall {
        kind: SocketCallKind::Recv,
        conn: front_conn,
        exchange: Some(index),
        at_ns: written_ns - 50_000,
    });
}

#[test]
fn written_to_a_connection_that_the_pod_had_closed() {
    let mut world = World::new("rollout");
    world.terminate(590.0, "a", 500.0);
    let mut flow = world.flow(600.0, "a").answered(502, 3);
    on_a_kept_connection(&mut flow);
    flow.last().cut(Close::ResetRemote, 902);
    flow.last().pod_exchange = None;
    is(&failure_of(world, flow), Cause::StaleKeepalive, Some("a"), TRACE);
}

#[test]
fn read_by_the_pod_is_cut_in_flight() {
    let mut world = World::new("rollout");
    world.terminate(590.0, "a", 500.0);
    let mut flow = world.flow(600.0, "a").answered(502, 30);
    on_a_kept_connection(&mut flow);
    flow.last().cut(Close::ResetRemote, 925);
    is(&failure_of(world, flow), Cause::CutInFlight, Some("a"), TRACE);
}

#[test]
fn a_retry_after_a_dead_kept_connection_is_a_success_of_two_attempts() {
    let mut world = World::new("rollout");
    let mut flow = world.flow(600.0, "a").answered(200, 10);
    on_a_kept_connection(&mut flow);
    flow.last().cut(Close::ResetRemote, 902);
    flow.last().pod_exchange = None;
    let failed = flow.last().conn().conn;
    let failed_index = flow.last().exchange().index;
    let front = flow.front.clone().unwrap();
    let retried_ns = front.request_start_ns + 3_000_000;
    let mut second = world.attempt(&front, "b", retried_ns);
    // The retry follows the failed attempt's own end.
    second.conn().opened_after = Some(SocketCall {
        kind: SocketCallKind::Recv,
        conn: failed,
        exchange: Some(failed_index),
        at_ns: retried_ns - 10_000,
    });
    flow.tries.push(second);
    flow.client.pod_name = Some("b".into());
    world.add(flow);
    let report = correlate(&world.finish());
    sound(&report);
    assert_eq!((report.ledger.succeeded, report.ledger.failed), (1, 0));
    assert_eq!(report.completeness.attempts_joined_by[&JoinedBy::Trace], 2);
    assert_eq!(report.completeness.attempts_unjoined, Some(0));
    let b = report.pods.iter().find(|pod| pod.name == "b").unwrap();
    assert_eq!((b.requests, b.succeeded), (Some(1), Some(1)));
    assert!(report.hops.iter().any(|hop| hop.name == "earlier_attempts" && hop.latency.is_some()));
}
