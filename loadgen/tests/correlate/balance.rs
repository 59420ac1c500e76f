//! Balance and slow pods: from raw runs whose truth is known to the report's sections and answers.

use loadgen::raw::Subject;
use loadgen::report::schema::{Report, SlowedBy, Verdict};
use observer::record::{SocketCall, SocketCallKind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::synthetic::{Flow, START_NS, Try, World, correlate};

const PODS: [&str; 3] = ["a", "b", "c"];

fn run(experiment: &str, count: u32, mut pick: impl FnMut(u32) -> usize) -> Report {
    let mut world = World::new(experiment);
    for n in 0..count {
        world.success(f64::from(n) * 4.0, PODS[pick(n)]);
    }
    let report = correlate(&world.finish());
    crate::schema::validate(&serde_json::to_value(&report).unwrap());
    report
}

fn answer<'r>(report: &'r Report, question: &str) -> &'r Verdict {
    report.verdicts.iter().find(|verdict| verdict.question == question).unwrap()
}

#[test]
fn chance_is_not_called_round_robin() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let report = run("balance", 600, |_| random.random_range(0..3));
    let balance = report.balance.as_ref().unwrap();
    assert_eq!((balance.pattern.as_str(), balance.connections, balance.requests), ("random", 600, 600));
    assert_eq!(balance.shares.iter().map(|share| share.connections).sum::<u64>(), 600);
    for share in &balance.shares {
        let (low, high) = (share.connections_low_ratio.unwrap(), share.connections_high_ratio.unwrap());
        assert!(low < share.connections_ratio.unwrap() && share.connections_ratio.unwrap() < high);
    }
    let claim = answer(&report, "Q8.2").claim.as_ref().unwrap();
    assert!(claim.starts_with("No, it is not round-robin: each new connection goes to a pod at random"), "{claim}");
}

#[test]
fn turns_are_called_round_robin() {
    let report = run("balance", 300, |n| n as usize % 3);
    assert_eq!(report.balance.as_ref().unwrap().pattern, "round_robin");
    assert!(answer(&report, "Q8.2").claim.as_ref().unwrap().starts_with("Round-robin is what was measured"));
}

#[test]
fn the_replay_of_what_was_measured_is_what_was_measured() {
    let report = run("balance", 300, |n| n as usize % 3);
    let balance = report.balance.unwrap();
    assert_eq!(balance.what_if.len(), 6);
    let (replay, model) = (&balance.what_if[0], balance.what_if_model.unwrap());
    assert_eq!(replay.policy, "as_measured");
    assert_eq!((replay.p50_us, replay.p99_us), (model.measured_p50_us, model.measured_p99_us));
    assert_eq!((replay.requests, model.requests_left_out), (300, 0));
}

#[test]
fn one_choice_is_told_in_full() {
    let report = run("balance", 90, |n| n as usize % 3);
    let decision = report.balance.as_ref().unwrap().decision.as_ref().unwrap();
    assert_eq!((decision.seq, decision.pod.as_str(), decision.gateway_pod.as_deref()), (45, "a", Some("gw")));
    assert_eq!(decision.dialled, "10.96.0.20:5000");
    assert_eq!(decision.nat_source.as_deref(), Some("new"));
    assert!(!decision.connection_reused && decision.requests_before_count == 0);
    let chosen: Vec<_> = decision.endpoints.iter().filter(|endpoint| endpoint.chosen).collect();
    assert_eq!(decision.endpoints.len(), 3);
    assert_eq!((chosen.len(), chosen[0].pod.as_deref()), (1, Some("a")));
    let claim = answer(&report, "Q4.2").claim.as_ref().unwrap();
    assert!(claim.contains("repeated requests do go to different pods"), "{claim}");
    assert!(claim.contains("one of 3 ready endpoints at that moment"), "{claim}");
}

#[test]
fn ten_requests_decide_nothing() {
    let report = run("balance", 10, |n| n as usize % 3);
    let verdict = answer(&report, "Q8.2");
    assert_eq!(report.balance.as_ref().unwrap().pattern, "undecided");
    assert!(verdict.claim.is_none() && verdict.not_measured.iter().any(|line| line.contains("30 are needed")));
}

/// Carried by a connection that `first` has opened.
fn on_kept(flow: &mut Flow, first: &Try, index: u32) {
    let front = flow.front.as_ref().map(|front| (front.conn, front.index)).unwrap();
    let (conn, pod_conn) = (first.conn.clone().unwrap(), first.pod_conn.clone().unwrap());
    let attempt = flow.last();
    let written_ns = attempt.exchange().request_start_ns;
    (attempt.conn, attempt.pod_conn) = (None, None);
    let exchange = attempt.exchange();
    (exchange.conn, exchange.local, exchange.index, exchange.reused) = (conn.conn, conn.local, index, true);
    exchange.sent_after = Some(SocketCall {
        kind: SocketCallKind::Recv,
        conn: front.0,
        exchange: Some(front.1),
        at_ns: written_ns - 50_000,
    });
    let at_pod = attempt.pod_exchange.as_mut().unwrap();
    (at_pod.conn, at_pod.remote, at_pod.index, at_pod.reused) = (pod_conn.conn, conn.local, index, true);
}

#[test]
fn kept_connections_are_named_and_are_no_choices() {
    let mut world = World::new("balance");
    let mut opened = Vec::new();
    for n in 0..6_u32 {
        let mut flow = world.flow(f64::from(n) * 5.0, PODS[n as usize % 3]);
        // Each stays open for the rest of the run.
        let attempt = flow.last();
        for conn in [attempt.conn.as_mut(), attempt.pod_conn.as_mut()].into_iter().flatten() {
            (conn.closed_ns, conn.close) = (Some(conn.opened_ns + 3_000_000_000), None);
        }
        opened.push(flow.tries[0].clone());
        world.add(flow);
    }
    for n in 6..306_u32 {
        // The first pod's connections are used most.
        let at = if n % 2 == 0 { 0 } else { n as usize % 6 };
        let mut flow = world.flow(f64::from(n) * 5.0, PODS[at % 3]);
        on_kept(&mut flow, &opened[at], n);
        world.add(flow);
    }
    let report = correlate(&world.finish());
    let balance = report.balance.as_ref().unwrap();
    assert_eq!((balance.connections, balance.connections_kept), (6, 4));
    assert_eq!((balance.requests, balance.requests_on_kept_connections), (306, 300));
    assert_eq!(balance.pattern, "undecided");
    assert!(balance.decision.as_ref().unwrap().connection_reused);
    // Six connections say little about where the next requests go, however many these six have carried.
    let share = &balance.shares[0];
    assert!(share.requests_high_ratio.unwrap() - share.requests_low_ratio.unwrap() > 0.3, "{share:?}");
    let verdict = answer(&report, "Q8.2");
    assert!(verdict.claim.as_ref().unwrap().contains("300 of 306 requests went over a connection"), "{verdict:?}");
    assert!(verdict.not_measured.iter().any(|line| line.contains("how the Service chooses")));
}

/// The pod answers later by so much, and so does everybody after it.
fn later(flow: &mut Flow, by_ns: u64) {
    let client = &mut flow.client;
    client.end_ns += by_ns;
    client.headers_ns = client.headers_ns.map(|ns| ns + by_ns);
    let attempt = flow.tries.last_mut().unwrap();
    for exchange in
        [attempt.exchange.as_mut(), attempt.pod_exchange.as_mut(), flow.front.as_mut()].into_iter().flatten()
    {
        for moment in [&mut exchange.response_start_ns, &mut exchange.response_end_ns, &mut exchange.response_read_ns] {
            *moment = moment.map(|ns| ns + by_ns);
        }
    }
    for conn in [attempt.conn.as_mut(), attempt.pod_conn.as_mut(), flow.front_conn.as_mut()].into_iter().flatten() {
        conn.closed_ns = conn.closed_ns.map(|ns| ns + by_ns);
    }
}

fn action(world: &mut World, ms: f64, name: &str, detail: &str) {
    world.push(
        ms,
        Subject::Action {
            name: name.into(),
            target: "pod/b".into(),
            uid: Some("uid-b".into()),
            requested_ns: START_NS + (ms * 1e6) as u64 - 20_000_000,
            detail: detail.into(),
        },
    );
}

/// Twelve seconds; pod `b` takes 50 ms longer in the middle four, where it gets `share` of the requests.
fn slowed(share: f64) -> Report {
    let mut world = World::new("slow-pod");
    let mut random = ChaCha8Rng::seed_from_u64(21);
    action(&mut world, 4_000.0, "slow_pod_delay", "its server waits 50 ± 0 ms before each answer");
    action(&mut world, 8_000.0, "restore", "waits 0 ms before each answer, as before");
    for n in 0..1_200_u32 {
        let ms = f64::from(n) * 10.0;
        let slow = (4_000.0..7_980.0).contains(&ms);
        let to_b = random.random_bool(if slow { share } else { 1.0 / 3.0 });
        let pod = if to_b { 1 } else { 2 * random.random_range(0..2) };
        let mut flow = world.flow(ms, PODS[pod]);
        let extra_ns = random.random_range(0..400_000) + if slow && to_b { 50_000_000 } else { 0 };
        later(&mut flow, extra_ns);
        world.add(flow);
    }
    let report = correlate(&world.finish());
    assert_eq!(report.completeness.join_conflicts, Some(0), "{:?}", report.warnings);
    crate::schema::validate(&serde_json::to_value(&report).unwrap());
    report
}

#[test]
fn a_slow_pod_is_named_and_its_effect_measured() {
    let report = slowed(1.0 / 3.0);
    let slow = report.slow_pod.as_ref().unwrap();
    assert_eq!((slow.pod.as_str(), slow.slowest_pod.as_deref(), slow.by), ("b", Some("b"), SlowedBy::Delay));
    for rise in [slow.slow_pod_median.unwrap(), slow.slow_minus_others_median.unwrap()] {
        assert!((rise.low_us..=rise.high_us).contains(&50_000.0) && rise.high_us - rise.low_us < 1_000.0, "{rise:?}");
    }
    assert!(slow.client_p99.unwrap().low_us > 45_000.0, "{:?}", slow.client_p99);
    assert!(slow.client_p50.unwrap().difference_us < 1_000.0, "two of three requests are as fast as before");
    let share = slow.share.as_ref().unwrap();
    assert_eq!(share.reacted, Some(false), "{share:?}");
    let most = |name: &str| slow.phases.iter().find(|phase| phase.name == name).unwrap().slow_pod_in_flight_max_count;
    assert!(most("before") == Some(1) && most("during") > Some(2), "{:?}", slow.phases);
    let random = slow.what_if.iter().find(|forecast| forecast.policy == "random").unwrap();
    let aware = slow.what_if.iter().find(|forecast| forecast.policy == "peak_ewma").unwrap();
    assert!(random.p99_us > 50_000 && aware.p50_us < 10_000);
    assert!(aware.shares_ratio[1] < 0.1, "{aware:?}");
    let claim = answer(&report, "Q8.3").claim.as_ref().unwrap();
    assert!(claim.contains("did not react") && claim.contains("b was slowed"), "{claim}");
}

#[test]
fn a_balance_that_reacts_is_said_to() {
    let report = slowed(0.08);
    let share = report.slow_pod.as_ref().unwrap().share.as_ref().unwrap();
    assert_eq!(share.reacted, Some(true), "{share:?}");
    assert!(share.connections_p.unwrap() < 0.001);
}

#[test]
fn a_run_without_a_slow_pod_answers_nothing() {
    let report = run("slow-pod", 60, |n| n as usize % 3);
    assert!(report.slow_pod.is_none() && answer(&report, "Q8.3").claim.is_none());
}
