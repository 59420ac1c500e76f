//! Why a good answer came late.

use loadgen::correlate::correlate_explaining;
use loadgen::report::schema::{SlowCause, SlowRequest};

use crate::synthetic::{Flow, MS, World, correlate};

/// Everything behind the moment at which the pod has read the request comes later by that much.
fn slow_at_pod(world: &mut World, pod: &str, by_ms: u64) -> Flow {
    let later = |ns: &mut Option<u64>| *ns = ns.map(|ns| ns + by_ms * MS);
    let mut flow = world.flow(100.0, pod);
    let attempt = flow.last();
    for exchange in [&mut attempt.exchange, &mut attempt.pod_exchange].into_iter().flatten() {
        later(&mut exchange.response_start_ns);
        later(&mut exchange.response_end_ns);
        later(&mut exchange.response_read_ns);
    }
    for conn in [&mut attempt.conn, &mut attempt.pod_conn].into_iter().flatten() {
        later(&mut conn.closed_ns);
    }
    let (front, front_conn) = (flow.front.as_mut().unwrap(), flow.front_conn.as_mut().unwrap());
    later(&mut front.response_start_ns);
    later(&mut front.response_end_ns);
    later(&mut front_conn.closed_ns);
    later(&mut flow.client.headers_ns);
    flow.client.end_ns += by_ms * MS;
    flow
}

/// The slowest of a run in which a pod had a request for 300 ms, and was stopped: when after the start the stop ended at the earliest and at
/// the latest, and how long it was.
fn slowest(stops_ms: &[(u64, u64, u64)]) -> SlowRequest {
    let mut world = World::new("steady");
    world.success(10.0, "b");
    let flow = slow_at_pod(&mut world, "a", 300);
    let start_ns = flow.client.sent_ns;
    world.add(flow);
    for &(from_ms, to_ms, ms) in stops_ms {
        let readings_ns = (start_ns + from_ms * MS, start_ns + to_ms * MS);
        world.stopped("a", readings_ns, ms * 1_000);
        // Another pod's limit is no reason.
        world.stopped("b", readings_ns, 99_000);
    }
    correlate(&world.finish()).slow.remove(0)
}

#[test]
fn a_pod_that_its_limit_stopped_for_most_of_the_time_is_throttled() {
    let slow = slowest(&[(90, 110, 80), (190, 210, 80), (280, 300, 80)]);
    assert_eq!((slow.cause, slow.pod.as_deref()), (SlowCause::CpuThrottled, Some("a")), "{slow:?}");
    assert!(slow.explanation.contains("CPU limit stopped it"), "{slow:?}");
}

#[test]
fn a_pod_that_was_stopped_for_less_than_half_of_it_is_slow() {
    let slow = slowest(&[(90, 110, 60), (190, 210, 60)]);
    assert_eq!(slow.cause, SlowCause::SlowPod, "{slow:?}");
    assert_eq!(slowest(&[]).cause, SlowCause::SlowPod);
}

#[test]
fn stops_that_may_lie_outside_of_the_request_prove_nothing() {
    let slow = slowest(&[(290, 410, 97), (0, 5, 97)]);
    assert_eq!(slow.cause, SlowCause::SlowPod, "{slow:?}");
}

#[test]
fn as_many_are_explained_as_are_asked_for() {
    let mut world = World::new("steady");
    for n in 0..40 {
        world.success(f64::from(n) * 4.0, "a");
    }
    let raw = world.finish();
    assert_eq!((correlate(&raw).slow.len(), correlate_explaining(&raw.read(), 25).slow.len()), (10, 25));
}
