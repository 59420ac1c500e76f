//! Why a good answer came late.

use loadgen::correlate::correlate_explaining;
use loadgen::raw::{ClientRequest, ClockOffset, Lag, ShardFile};
use loadgen::report::schema::{SlowCause, SlowRequest};
use observer::api::Clock;

use crate::synthetic::{Flow, MS, World, correlate, pod_ref};

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
    slowest_limited_to(0, stops_ms)
}

/// The same with a limit of so much in every 100 ms.
fn slowest_limited_to(quota_ms: u64, stops_ms: &[(u64, u64, u64)]) -> SlowRequest {
    let mut world = World::new("steady");
    world.success(10.0, "b");
    let flow = slow_at_pod(&mut world, "a", 300);
    let start_ns = flow.client.sent_ns;
    world.add(flow);
    for &(from_ms, to_ms, ms) in stops_ms {
        let readings_ns = (start_ns + from_ms * MS, start_ns + to_ms * MS);
        world.stopped_by(quota_ms * 1_000, "a", readings_ns, ms * 1_000);
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

/// On a busy node a stopped pod waits for a free CPU besides, and the stops alone are not half of its time.
#[test]
fn what_a_pod_ran_at_its_limit_does_not_count_against_the_limit() {
    let stops_ms = [(90, 110, 42), (190, 210, 42), (280, 300, 42)];
    assert_eq!(slowest(&stops_ms).cause, SlowCause::SlowPod);
    let slow = slowest_limited_to(20, &stops_ms);
    assert_eq!(slow.cause, SlowCause::CpuThrottled, "{slow:?}");
    assert!(slow.explanation.contains("the 20 ms that it allows of every 100 were used up throughout"), "{slow:?}");
    // It ran for longer than it was stopped: it has much to do.
    assert_eq!(slowest_limited_to(60, &stops_ms).cause, SlowCause::SlowPod);
    // Between 110 and 280 it had not used up what it may.
    assert_eq!(slowest_limited_to(20, &[stops_ms[0], stops_ms[2]]).cause, SlowCause::SlowPod);
}

/// The same pod and request: it had work and no CPU for so long between readings around these moments; and stops as above.
fn slowest_waiting(waits_ms: &[(u64, u64, u64)], stops_ms: &[(u64, u64, u64)]) -> SlowRequest {
    let mut world = World::new("steady");
    let flow = slow_at_pod(&mut world, "a", 300);
    let start_ns = flow.client.sent_ns;
    world.add(flow);
    let at = |from_ms: u64, to_ms: u64| (start_ns + from_ms * MS, start_ns + to_ms * MS);
    for &(from_ms, to_ms, ms) in waits_ms {
        world.waited("a", at(from_ms, to_ms), ms * 1_000);
    }
    for &(from_ms, to_ms, ms) in stops_ms {
        world.stopped("a", at(from_ms, to_ms), ms * 1_000);
    }
    correlate(&world.finish()).slow.remove(0)
}

#[test]
fn a_pod_that_got_no_cpu_for_most_of_the_time_is_not_slow_by_itself() {
    let waits_ms = [(50, 100, 45), (100, 150, 40), (150, 200, 45), (200, 250, 50)];
    let slow = slowest_waiting(&waits_ms, &[]);
    assert_eq!((slow.cause, slow.pod.as_deref()), (SlowCause::CpuPressure, Some("a")), "{slow:?}");
    assert!(slow.explanation.contains("a had work and got no CPU for 180 ms of that time"), "{slow:?}");
    assert_eq!(slowest_waiting(&waits_ms[1..], &[]).cause, SlowCause::SlowPod, "135 of more than 300");
    // Stops by its limit are waits as well: here most of them.
    let slow = slowest_waiting(&waits_ms, &[(90, 110, 50), (190, 210, 50)]);
    assert_eq!(slow.cause, SlowCause::CpuThrottled, "{slow:?}");
    let slow = slowest_waiting(&waits_ms, &[(90, 110, 50)]);
    assert_eq!(slow.cause, SlowCause::CpuPressure, "{slow:?}");
}

#[test]
fn a_slow_pod_is_told_with_how_long_it_ran() {
    let fared = |readings_ms: &[(u64, u64, u64, u64)]| {
        let mut world = World::new("steady");
        let flow = slow_at_pod(&mut world, "a", 300);
        let start_ns = flow.client.sent_ns;
        world.add(flow);
        for &(from_ms, to_ms, waited_ms, ran_ms) in readings_ms {
            let between_ns = (start_ns - 50 * MS + from_ms * MS, start_ns - 50 * MS + to_ms * MS);
            world.fared("a", between_ns, Some(waited_ms * 1_000), Some(ran_ms * 1_000));
        }
        correlate(&world.finish()).slow.remove(0)
    };
    let waits = fared(&[(0, 50, 0, 1)]);
    assert_eq!(waits.cause, SlowCause::SlowPod, "{waits:?}");
    assert!(
        waits.explanation.ends_with(
            "a took that long to answer; in that time it ran for 0 to 30 ms; no other request was seen there"
        ),
        "{waits:?}"
    );
    let computes = fared(&[(0, 50, 0, 1), (50, 250, 0, 190), (250, 400, 0, 145)]);
    assert_eq!(computes.cause, SlowCause::SlowPod, "{computes:?}");
    let kept_waiting = fared(&[(0, 50, 0, 1), (50, 350, 130, 130)]);
    assert_eq!(kept_waiting.cause, SlowCause::CpuPressure, "{kept_waiting:?}");
    assert!(
        kept_waiting.explanation.contains("got no CPU for 130 ms of that time, and ran for 130 ms: "),
        "{kept_waiting:?}"
    );
}

#[test]
fn where_records_are_missing_nobody_knows_for_how_long_a_pod_ran() {
    let mut world = World::new("steady");
    let flow = slow_at_pod(&mut world, "a", 300);
    let start_ns = flow.client.sent_ns;
    world.add(flow);
    world.fared("a", (start_ns - 50 * MS, start_ns), Some(0), Some(100));
    let mut raw = world.finish();
    assert!(correlate(&raw).slow[0].explanation.contains("; in that time it ran for 0 to 30 ms"));
    raw.warnings.push("records-node0.ndjson.gz: a block is damaged".into());
    let slow = correlate(&raw).slow.remove(0);
    assert!(slow.cause == SlowCause::SlowPod && !slow.explanation.contains("it ran for"), "{slow:?}");
}

#[test]
fn a_slow_pod_is_told_with_what_else_it_had() {
    let mut world = World::new("steady");
    // All come at one moment, and stay for that much longer.
    for by_ms in [300, 300, 200, 40] {
        let flow = slow_at_pod(&mut world, "a", by_ms);
        world.add(flow);
    }
    let slow = correlate(&world.finish()).slow;
    assert!(
        slow[0].explanation.contains("a took that long to answer; 1.8 other requests were there on average"),
        "{slow:?}"
    );
}

#[test]
fn stops_that_may_lie_outside_of_the_request_prove_nothing() {
    let slow = slowest(&[(290, 410, 97), (0, 5, 97)]);
    assert_eq!(slow.cause, SlowCause::SlowPod, "{slow:?}");
}

#[test]
fn a_client_that_did_not_run_is_late_itself() {
    let slow = |lag_ms: u64| {
        let mut world = World::new("steady");
        let mut flow = world.flow(100.0, "a");
        flow.client.end_ns += 80 * MS;
        let ran_ns = flow.client.end_ns;
        world.add(flow);
        let mut raw = world.finish();
        raw.lags.push(Lag { due_ns: ran_ns - lag_ms * MS, ran_ns, shard: None });
        correlate(&raw).slow.remove(0)
    };
    let late = slow(70);
    assert_eq!(
        (late.cause, late.slowest_hop.as_deref()),
        (SlowCause::LateClient, Some("gateway_to_client")),
        "{late:?}"
    );
    assert!(late.explanation.contains("the load generator itself did not run for 70 ms of that time"), "{late:?}");
    assert_eq!(slow(30).cause, SlowCause::Unknown, "30 of 80 ms are not most of it");
}

#[test]
fn a_pod_that_sends_is_late_by_its_own_lags() {
    let slow = |shard: u32| {
        let mut world = World::new("steady");
        let mut flow = slow_at_pod(&mut world, "a", 1);
        flow.client.end_ns += 80 * MS;
        let (ran_ns, seq) = (flow.client.end_ns, flow.client.seq);
        world.add(flow);
        let mut raw = world.finish();
        raw.run.shards = (0..2).map(sender).collect();
        raw.lags.push(Lag { due_ns: ran_ns - 70 * MS, ran_ns, shard: Some((seq as u32 + shard) % 2) });
        correlate(&raw).slow.remove(0)
    };
    let late = slow(0);
    assert_eq!(late.cause, SlowCause::LateClient, "{late:?}");
    assert!(late.explanation.contains("the load generator's pod sender-"), "{late:?}");
    assert_eq!(slow(1).cause, SlowCause::Unknown, "another pod did not run");
}

/// A pod of a Job, on our own machine.
fn sender(index: u32) -> ShardFile {
    let node = Clock { node: "n0".into(), boot_id: String::new(), monotonic_ns: 0, realtime_ns: 0 };
    ShardFile {
        index,
        pod: format!("sender-{index}"),
        node: "n0".into(),
        sent: 1,
        records: 1,
        records_dropped: 0,
        clock: ClockOffset { node, offset_ns: 0, error_bound_ns: 0, same_machine: true },
        clock_after: None,
        problems: Vec::new(),
    }
}

#[test]
fn parts_of_one_cause_count_together() {
    let slow = |lags_ms: [u64; 2]| {
        let mut world = World::new("steady");
        let flow = slow_at_pod(&mut world, "a", 60);
        let (sent_ns, end_ns) = (flow.client.sent_ns - 50 * MS, flow.client.end_ns + 50 * MS);
        world.add(Flow { client: ClientRequest { due_ns: sent_ns, sent_ns, end_ns, ..flow.client }, ..flow });
        let mut raw = world.finish();
        let lag = |due_ns: u64, ms: u64| Lag { due_ns, ran_ns: due_ns + ms * MS, shard: None };
        raw.lags = vec![lag(sent_ns, lags_ms[0]), lag(end_ns - lags_ms[1] * MS, lags_ms[1])];
        correlate(&raw).slow.remove(0)
    };
    let late = slow([45, 45]);
    assert_eq!((late.cause, late.slowest_hop.as_deref()), (SlowCause::LateClient, Some("pod")), "{late:?}");
    assert!(late.explanation.contains("; for the same reason "), "{late:?}");
    let not_both = slow([45, 10]);
    assert_eq!(not_both.cause, SlowCause::Unknown, "{not_both:?}");
    assert!(not_both.explanation.contains("no single part stands out; the longest is pod"), "{not_both:?}");
}

#[test]
fn a_sender_that_did_not_run_is_told_from_one_without_workers() {
    let slow = |lags: Vec<Lag>| {
        let mut world = World::new("steady");
        let mut flow = world.flow(200.0, "a");
        flow.client.due_ns -= 100 * MS;
        flow.client.starved = true;
        world.add(flow);
        let mut raw = world.finish();
        raw.lags = lags;
        correlate(&raw).slow.remove(0)
    };
    let without = slow(Vec::new());
    assert_eq!(without.cause, SlowCause::LateSender);
    assert!(without.explanation.contains("no worker of the load generator was free"), "{without:?}");
    let stopped = slow(vec![Lag { due_ns: 1, ran_ns: u64::MAX, shard: None }]);
    assert_eq!(stopped.cause, SlowCause::LateSender);
    assert!(stopped.explanation.contains("the load generator itself did not run for 100 ms"), "{stopped:?}");
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

/// The slowest of a run in which the node made an entry for a client's first SYN after so long, and another after four seconds.
fn slowest_with_an_entry_before(after_ns: u64) -> SlowRequest {
    let mut world = World::new("steady");
    world.success(100.0, "a");
    let mut late = world.flow(5_000.0, "b");
    late.client.due_ns -= 4_000 * MS;
    late.client.sent_ns -= 4_000 * MS;
    let mut first = late.translation.clone().unwrap();
    first.nat.created_ns = late.client.sent_ns + after_ns;
    world.add(late);
    world.translated(first);
    correlate(&world.finish()).slow.remove(0)
}

#[test]
fn two_entries_of_one_connection_show_that_its_syn_was_sent_again() {
    let slow = slowest_with_an_entry_before(300_000);
    assert_eq!(slow.cause, SlowCause::SynRetransmit, "{slow:?}");
    assert!(slow.explanation.contains("after 0.3 ms, and another after 4.0 s"), "{slow:?}");
    // What came just before the other shows no repetition.
    assert_eq!(slowest_with_an_entry_before(3_500 * MS).cause, SlowCause::Unknown);
}

/// The slowest of a run in which a client's port was used again, and a SYN reached a gateway pod only after four seconds.
fn slowest_to_connect(first_gateway_ends: bool) -> SlowRequest {
    let mut world = World::new("pod-delete");
    world.pod(-60_000.0, "gw2", "api-gateway");
    if first_gateway_ends {
        world.terminate(300.0, "gw2", 700.0);
    }
    let mut earlier = world.flow(100.0, "a");
    earlier.translation.as_mut().unwrap().nat.pod = Some(pod_ref("gw2"));
    let mut late = world.flow(5_000.0, "b");
    late.client.local = earlier.client.local;
    late.translation.as_mut().unwrap().client = earlier.client.local.unwrap();
    late.client.due_ns -= 4_000 * MS;
    late.client.sent_ns -= 4_000 * MS;
    world.add(earlier);
    world.add(late);
    correlate(&world.finish()).slow.remove(0)
}

#[test]
fn a_syn_along_an_older_entry_to_a_gateway_that_was_gone_is_named() {
    let slow = slowest_to_connect(true);
    assert_eq!(slow.cause, SlowCause::SynRetransmit, "{slow:?}");
    assert!(slow.explanation.contains("led to gw2") && slow.explanation.contains("after 4.0 s"), "{slow:?}");
    assert_eq!(slowest_to_connect(false).cause, SlowCause::Unknown);
}

/// The slowest of a run in which the gateway read a request 300 ms late, and was stopped for that long in it.
fn slowest_at_gateway(stopped_ms: &[u64]) -> SlowRequest {
    let mut world = World::new("steady");
    world.success(10.0, "b");
    let mut flow = slow_at_pod(&mut world, "a", 300);
    // What comes behind that moment is late already; the pod's own part moves there.
    let later = |ns: &mut u64| *ns += 300 * MS;
    let front = flow.front.as_mut().unwrap();
    front.request_read_ns.as_mut().map(later);
    let start_ns = front.request_start_ns;
    let attempt = flow.last();
    for conn in [&mut attempt.conn, &mut attempt.pod_conn].into_iter().flatten() {
        later(&mut conn.opened_ns);
        conn.established_ns.as_mut().map(later);
        conn.nat.iter_mut().for_each(|nat| later(&mut nat.created_ns));
    }
    for exchange in [&mut attempt.exchange, &mut attempt.pod_exchange].into_iter().flatten() {
        later(&mut exchange.request_start_ns);
        exchange.request_end_ns.as_mut().map(later);
        exchange.request_read_ns.as_mut().map(later);
    }
    world.add(flow);
    for ms in stopped_ms {
        world.stopped("gw", (start_ns + 200 * MS, start_ns + 220 * MS), ms * 1_000);
    }
    correlate(&world.finish()).slow.remove(0)
}

#[test]
fn a_gateway_that_its_limit_stopped_is_throttled_and_another_one_is_late() {
    let slow = slowest_at_gateway(&[80, 90]);
    assert_eq!((slow.cause, slow.slowest_hop.as_deref()), (SlowCause::CpuThrottled, Some("queued_at_gateway")));
    assert!(slow.explanation.contains("gw's CPU limit stopped it"), "{slow:?}");
    assert_eq!(slowest_at_gateway(&[]).cause, SlowCause::QueuedAtGateway);
}

#[test]
fn a_gateway_that_passes_an_answer_on_late_is_slow() {
    let mut world = World::new("steady");
    let mut flow = world.flow(100.0, "a");
    for ns in [&mut flow.front.as_mut().unwrap().response_end_ns, &mut flow.client.headers_ns] {
        *ns = ns.map(|ns| ns + 200 * MS);
    }
    flow.client.end_ns += 200 * MS;
    world.add(flow);
    let slow = correlate(&world.finish()).slow.remove(0);
    assert_eq!((slow.cause, slow.slowest_hop.as_deref()), (SlowCause::SlowGateway, Some("gateway_return")), "{slow:?}");
}
