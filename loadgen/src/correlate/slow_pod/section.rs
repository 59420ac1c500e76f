//! The report's section.

use std::collections::HashMap;

use super::in_flight::Steps;
use super::phases::{Slowed, slowed};
use super::share::{Got, change};
use crate::correlate::balance::{chosen_in_run, steady_pods};
use crate::correlate::clock::ms_between;
use crate::correlate::cluster::{PodAt, Role};
use crate::correlate::context::Context;
use crate::correlate::ledger::start_ns;
use crate::correlate::what_if;
use crate::report::schema::{DifferenceUs, InFlight, Phase, SlowPod};
use crate::stats::{Blocked, Resampling, WITHIN_RUN, quantile_changes};

/// What is closer in time than this is taken as one in the intervals: longer than any queue of such a run lasts.
const BLOCK_NS: u64 = 500_000_000;
/// Requests in flight are told in steps of this.
const STEP_NS: u64 = 500_000_000;
/// Of the blocks of one phase.
const DRAWN: Resampling = Resampling { draws: 999, least_blocks: 5, least_beyond: 0.0, seed: 830 };

/// One success, by its times.
struct Served {
    sent_ns: u64,
    latency_ns: u64,
    pod: Option<PodAt>,
    service_ns: Option<u64>,
}

/// The section. `None`: no pod was slowed, or no observer.
pub fn slow_pod(ctx: &Context<'_, '_>) -> Option<SlowPod> {
    let slowed = slowed(ctx).filter(|_| ctx.observed())?;
    let slow = ctx.cluster.pods.iter().position(|life| life.uid == slowed.uid)? as PodAt;
    let served = served(ctx);
    let flights = flights(ctx);
    let [before, during, _] = slowed.phases;
    let within = |phase: (&str, u64, u64)| move |served: &&Served| (phase.1..phase.2).contains(&served.sent_ns);
    let service = |phase, pick: &dyn Fn(PodAt) -> bool| {
        let picked = served.iter().filter(within(phase)).filter(|served| served.pod.is_some_and(pick));
        Blocked::new(picked.filter_map(|served| Some((served.sent_ns / BLOCK_NS, served.service_ns?))))
    };
    let latency = |phase| {
        let sent = served.iter().filter(within(phase));
        Blocked::new(sent.map(|served| (served.sent_ns / BLOCK_NS, served.latency_ns)))
    };
    let own = |pod: PodAt| pod == slow;
    let (client_before, client_during) = (latency(before), latency(during));
    let pods = steady_pods(ctx);
    let forecasts = what_if::in_window(ctx, &pods, during.1, during.2);
    let (what_if, what_if_model) = forecasts.map_or((Vec::new(), None), |(list, model)| (list, Some(model)));
    let rises = pods.iter().filter_map(|pod| {
        let only = |other: PodAt| other == *pod;
        let rise = difference(&service(before, &only), &service(during, &only), 0.5)?;
        (rise.low_us > 0.0).then_some((*pod, rise.difference_us))
    });
    Some(SlowPod {
        pod: slowed.pod.clone(),
        pod_uid: slowed.uid.clone(),
        by: slowed.by,
        how: slowed.how.clone(),
        slow_pod_median: difference(&service(before, &own), &service(during, &own), 0.5),
        slow_minus_others_median: difference(&service(during, &|pod| pod != slow), &service(during, &own), 0.5),
        slowest_pod: rises.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(pod, _)| ctx.pod_name(pod).to_owned()),
        client_p50: difference(&client_before, &client_during, 0.5),
        client_p99: difference(&client_before, &client_during, 0.99),
        share: change(&got(ctx, slow, before), &got(ctx, slow, during), BLOCK_NS),
        phases: slowed
            .phases
            .iter()
            .map(|phase| {
                let client = latency(*phase);
                let us = |blocks: &Blocked, q| blocks.quantile(q).map(|ns| ns.saturating_add(500) / 1_000);
                let got = got(ctx, slow, *phase);
                let others = flights.iter().filter(|(pod, _)| **pod != slow);
                let (_, from_ns, until_ns) = *phase;
                let sent = || ctx.client.iter().filter(|client| (from_ns..until_ns).contains(&client.sent_ns));
                Phase {
                    name: phase.0.to_owned(),
                    from_ns,
                    until_ns,
                    requests: sent().count() as u64,
                    failed: sent().filter(|client| !client.succeeded()).count() as u64,
                    client_p50_us: us(&client, 0.5),
                    client_p99_us: us(&client, 0.99),
                    slow_pod_service_p50_us: us(&service(*phase, &own), 0.5),
                    other_pods_service_p50_us: us(&service(*phase, &|pod| pod != slow), 0.5),
                    slow_pod_requests_ratio: got.requests_ratio(),
                    slow_pod_connections_ratio: got.connections_ratio(),
                    slow_pod_in_flight_max_count: flights.get(&slow).map(|steps| steps.max(from_ns, until_ns)),
                    slow_pod_in_flight_mean_count: flights.get(&slow).and_then(|steps| steps.mean(from_ns, until_ns)),
                    other_pods_in_flight_max_count: others.map(|(_, steps)| steps.max(from_ns, until_ns)).max(),
                    slow_pod_throttled_us: throttled_us(ctx, slow, &slowed, phase.0),
                }
            })
            .collect(),
        in_flight: over_time(ctx, &flights, slow),
        what_if,
        what_if_pods: pods.iter().map(|pod| ctx.pod_name(*pod).to_owned()).collect(),
        what_if_model,
    })
}

/// One quantile, second minus first.
fn difference(a: &Blocked, b: &Blocked, q: f64) -> Option<DifferenceUs> {
    let change = *quantile_changes(a, b, &[q], WITHIN_RUN, &DRAWN)?.first()?;
    let (us, interval) = (|ns: f64| ns / 1e3, change.difference?);
    let difference_us = us(change.b as f64 - change.a as f64);
    Some(DifferenceUs { difference_us, low_us: us(interval.low), high_us: us(interval.high) })
}

fn served(ctx: &Context<'_, '_>) -> Vec<Served> {
    let successes = ctx.client.iter().enumerate().filter(|(_, client)| client.succeeded());
    successes
        .map(|(request, client)| {
            let attempt = ctx.join.decisive(request as u32);
            let at_pod = attempt.and_then(|attempt| ctx.pod_exchange(attempt));
            let service_ns =
                at_pod.and_then(|at_pod| Some(at_pod.response_end_ns()?.saturating_sub(at_pod.request_start_ns())));
            Served {
                sent_ns: client.sent_ns,
                latency_ns: client.end_ns.saturating_sub(start_ns(client)),
                pod: attempt.and_then(|attempt| attempt.pod),
                service_ns,
            }
        })
        .collect()
}

/// Requests at each serving pod, over time.
fn flights(ctx: &Context<'_, '_>) -> HashMap<PodAt, Steps> {
    let mut visits: HashMap<PodAt, Vec<(u64, u64)>> = HashMap::new();
    for attempt in &ctx.join.attempts {
        if let (Some(pod), Some(at_pod)) = (attempt.pod, ctx.pod_exchange(attempt)) {
            visits.entry(pod).or_default().push((at_pod.request_start_ns(), at_pod.last_seen_ns()));
        }
    }
    visits.into_iter().map(|(pod, visits)| (pod, Steps::of(visits.into_iter()))).collect()
}

fn over_time(ctx: &Context<'_, '_>, flights: &HashMap<PodAt, Steps>, slow: PodAt) -> Vec<InFlight> {
    let run = &ctx.raw.run;
    let steps = (run.ended_ns.saturating_sub(run.started_ns)).div_ceil(STEP_NS);
    let at = |step: u64| {
        let from_ns = run.started_ns + step * STEP_NS;
        let most = |steps: &Steps| steps.max(from_ns, from_ns + STEP_NS);
        InFlight {
            after_start_ms: ms_between(run.started_ns, from_ns),
            slow_pod_max_count: flights.get(&slow).map_or(0, most),
            other_pods_max_count: flights
                .iter()
                .filter(|(pod, _)| **pod != slow)
                .map(|(_, s)| most(s))
                .max()
                .unwrap_or(0),
        }
    };
    (0..steps).map(at).collect()
}

fn got(ctx: &Context<'_, '_>, slow: PodAt, phase: (&str, u64, u64)) -> Got {
    let mut got = Got::default();
    let inside = |ns: u64| (phase.1..phase.2).contains(&ns);
    let mut counted = std::collections::HashSet::new();
    for attempt in &ctx.join.attempts {
        let Some(pod) = attempt.pod.filter(|pod| ctx.cluster.pod(*pod).role == Some(Role::Upstream)) else { continue };
        let sent_ns = ctx.client.at(attempt.request).sent_ns;
        if inside(sent_ns) {
            got.requests.push((sent_ns, pod == slow));
        }
        let opened = ctx.conn(attempt).filter(|conn| inside(conn.opened_ns()) && chosen_in_run(ctx, *conn));
        if opened.is_some() && counted.insert(attempt.conn) {
            got.all_connections += 1;
            got.connections += u64::from(pod == slow);
        }
    }
    got
}

/// By the agent's readings within a phase, else between the kubelet's at its edges.
fn throttled_us(ctx: &Context<'_, '_>, slow: PodAt, slowed: &Slowed, phase: &str) -> Option<u64> {
    let life = ctx.cluster.pod(slow);
    let readings = &life.throttled_us;
    let by = |ns: u64| readings.iter().rev().find(|(at_ns, _)| *at_ns <= ns).map(|(_, us)| *us);
    let [before, during, _] = slowed.phases;
    let (from_ns, until_ns) = match phase {
        "before" => (before.1, before.2),
        "during" => (before.2, during.2),
        _ => (during.2, u64::MAX),
    };
    life.stopped_us(from_ns, until_ns).or_else(|| by(until_ns)?.checked_sub(by(from_ns)?))
}
