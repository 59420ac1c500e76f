//! From a run's records to the forecasts.

use std::collections::HashMap;

use super::model::{Visit, server_of};
use super::policy::Policy;
use super::simulate::{Arrival, Server, simulate};
use crate::correlate::cluster::PodAt;
use crate::correlate::context::Context;
use crate::correlate::distribution::Distribution;
use crate::correlate::ledger::start_ns;
use crate::report::schema::{Latency, PolicyForecast, Source, WhatIfModel};

/// Fixed: the same raw files give the same report.
const SEED: u64 = 20_260;
/// Fewer requests than this at a pod are no sample of its service times.
const LEAST_VISITS: usize = 20;
/// Longer runs are replayed up to here: a report must not take longer than its run.
const MOST: usize = 200_000;

/// One request that can be replayed.
struct Replayed {
    visit: Visit,
    pod: usize,
    chooser: u32,
    latency_ns: u64,
}

/// Of the whole run.
pub fn of_run(ctx: &Context<'_, '_>, pods: &[PodAt]) -> Option<(Vec<PolicyForecast>, WhatIfModel)> {
    in_window(ctx, pods, 0, u64::MAX)
}

/// Of the requests sent from `from_ns` until before `until_ns`. `None`: too few at one of the pods.
pub fn in_window(
    ctx: &Context<'_, '_>,
    pods: &[PodAt],
    from_ns: u64,
    until_ns: u64,
) -> Option<(Vec<PolicyForecast>, WhatIfModel)> {
    let (requests, left_out) = collect(ctx, pods, from_ns, until_ns);
    let (servers, arrivals) = prepare(pods.len(), &requests)?;
    let mut measured = Distribution::new();
    for request in &requests {
        measured.add_ns(request.latency_ns);
    }
    let measured = measured.latency()?;
    let forecasts = Policy::ALL.iter().filter_map(|policy| forecast(*policy, &requests, &arrivals, &servers)).collect();
    let serial: Vec<String> = pods
        .iter()
        .zip(&servers)
        .filter(|(_, server)| server.at_a_time.is_some())
        .map(|(pod, _)| ctx.pod_name(*pod).to_owned())
        .collect();
    let mut choosers: Vec<u32> = requests.iter().map(|request| request.chooser).collect();
    choosers.sort_unstable();
    choosers.dedup();
    let model = WhatIfModel {
        about: about(&serial, pods.len()),
        pods_serial: serial,
        choosers: choosers.len() as u64,
        requests_left_out: left_out,
        measured_p50_us: measured.p50_us,
        measured_p99_us: measured.p99_us,
        seed: SEED,
    };
    Some((forecasts, model))
}

fn about(serial: &[String], pods: usize) -> String {
    let servers = match serial.len() {
        0 => "pods answer as fast beside other requests as alone, as was measured".to_owned(),
        all if all == pods => "pods work on one request after the other, as their service times show".to_owned(),
        some => format!("{some} of {pods} pods work on one request after the other, as their service times show"),
    };
    format!(
        "the same requests at the same moments, one choice for each; service times drawn from those measured at each pod; {servers}; the rest of each request's way takes as long as it took"
    )
}

/// Successes in order of their arrival at the pod, and how many could not be taken.
fn collect(ctx: &Context<'_, '_>, pods: &[PodAt], from_ns: u64, until_ns: u64) -> (Vec<Replayed>, u64) {
    let position: HashMap<PodAt, usize> = pods.iter().enumerate().map(|(at, pod)| (*pod, at)).collect();
    let (mut requests, mut left_out) = (Vec::new(), 0);
    for (request, client) in ctx.client.iter().enumerate().filter(|(_, client)| client.succeeded()) {
        if !(from_ns..until_ns).contains(&client.sent_ns) {
            continue;
        }
        let replayed = || {
            let attempt = ctx.join.decisive(request as u32)?;
            let at_pod = ctx.pod_exchange(attempt)?;
            let visit = Visit { start_ns: at_pod.request_start_ns(), end_ns: at_pod.response_end_ns()? };
            Some(Replayed {
                visit,
                pod: *position.get(&attempt.pod?)?,
                chooser: ctx.front(request as u32).pod.unwrap_or(u32::MAX),
                latency_ns: client.end_ns.saturating_sub(start_ns(client)),
            })
        };
        match replayed().filter(|_| requests.len() < MOST) {
            Some(replayed) => requests.push(replayed),
            None => left_out += 1,
        }
    }
    requests.sort_by_key(|request| request.visit.start_ns);
    (requests, left_out)
}

/// The pods as servers, and the requests with the rank of their service time at the pod that served them.
fn prepare(pods: usize, requests: &[Replayed]) -> Option<(Vec<Server>, Vec<Arrival>)> {
    let mut arrivals: Vec<Arrival> = requests
        .iter()
        .map(|request| Arrival {
            at_ns: request.visit.start_ns,
            chooser: request.chooser,
            rank: 0.0,
            measured_pod: request.pod,
        })
        .collect();
    let mut servers = Vec::with_capacity(pods);
    for pod in 0..pods {
        let own: Vec<usize> = (0..requests.len()).filter(|at| requests[*at].pod == pod).collect();
        if own.len() < LEAST_VISITS {
            return None;
        }
        let visits: Vec<Visit> = own.iter().map(|at| requests[*at].visit).collect();
        let (server, service) = server_of(&visits);
        let mut by_length: Vec<usize> = (0..own.len()).collect();
        by_length.sort_by_key(|at| service[*at]);
        for (rank, at) in by_length.iter().enumerate() {
            arrivals[own[*at]].rank = (rank as f64 + 0.5) / own.len() as f64;
        }
        servers.push(server);
    }
    Some((servers, arrivals))
}

fn forecast(policy: Policy, requests: &[Replayed], arrivals: &[Arrival], servers: &[Server]) -> Option<PolicyForecast> {
    let outcome = simulate(arrivals, servers, policy, SEED);
    let mut latency = Distribution::new();
    let mut counts = vec![0_u64; servers.len()];
    for (request, served) in requests.iter().zip(&outcome.served) {
        let at_pod_ns = request.visit.end_ns.saturating_sub(request.visit.start_ns);
        latency.add_ns(request.latency_ns.saturating_sub(at_pod_ns) + served.took_ns);
        counts[served.pod] += 1;
    }
    let Latency { count, p50_us, p90_us, p99_us, max_us, mean_us, .. } = latency.latency()?;
    Some(PolicyForecast {
        policy: policy.name().to_owned(),
        source: Source::Computed,
        about: policy.about().to_owned(),
        requests: count,
        p50_us,
        p90_us,
        p99_us,
        max_us,
        mean_us,
        in_flight_max_count: outcome.in_flight_max,
        shares_ratio: counts.iter().map(|own| *own as f64 / count as f64).collect(),
    })
}
