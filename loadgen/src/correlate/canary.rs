//! A new version beside the old one: its share, and how both do.

use std::collections::{HashMap, HashSet};

use observer::record::NatSource;

use super::cluster::{PodAt, Role};
use super::context::Context;
use super::distribution::Distribution;
use crate::raw::Subject;
use crate::report::schema::{CanaryDecision, CanaryReport, ShareReport, VersionReport};
use crate::stats::{WITHIN_RUN, binomial_p, clopper_pearson, fisher_p, mann_whitney, ratio};

/// What one version got.
#[derive(Default)]
struct Tally {
    pods: u64,
    version: Option<String>,
    connections: u64,
    requests: u64,
    failed: u64,
    latency_us: Vec<u64>,
    service_us: Vec<u64>,
}

/// The comparison. `None`: not what this run was about.
pub fn canary(ctx: &Context<'_, '_>) -> Option<CanaryReport> {
    let config = &ctx.raw.run.config;
    let canary = config.experiment.get("canary")?;
    let weight = config.experiment.get("weight_ratio").and_then(|text| text.parse::<f64>().ok());
    let most_failed = config.experiment.get("most_failed_ratio").and_then(|text| text.parse().ok());
    let mut tallies = [Tally::default(), Tally::default()];
    let side = sides(ctx, [&config.upstream_deployment, canary]);
    let changed = count_pods(ctx, &side, &mut tallies);
    count_connections(ctx, &side, &mut tallies);
    count_requests(ctx, &side, &mut tallies);
    let [stable, new] = &tallies;
    let expected = weight.or_else(|| ratio(new.pods, new.pods + stable.pods).filter(|_| !changed));
    let share = |of: fn(&Tally) -> u64, independent: bool| {
        let (hits, total) = (of(new), of(new) + of(stable));
        let interval = clopper_pearson(hits, total, WITHIN_RUN).filter(|_| independent);
        (total > 0).then(|| ShareReport {
            canary_count: hits,
            total_count: total,
            ratio: ratio(hits, total),
            low_ratio: interval.map(|interval| interval.low),
            high_ratio: interval.map(|interval| interval.high),
            p_value: expected.filter(|_| independent).and_then(|expected| binomial_p(hits, total, expected)),
        })
    };
    // Where replicas decide, each connection is a draw; where the gateway is told a share, each request is.
    let alone = !ctx.observed() || new.requests + stable.requests <= new.connections + stable.connections;
    let (by_connection, by_request) = (weight.is_none() || alone, weight.is_some() || alone);
    // The pods' own time, where it is known: the gateway and the network are the same for both.
    let times = |tally: &Tally| {
        let mut times = if ctx.observed() { tally.service_us.clone() } else { tally.latency_us.clone() };
        times.sort_unstable();
        times
    };
    let slower = mann_whitney(&times(stable), &times(new));
    let mut report = CanaryReport {
        split_by: if weight.is_some() { "weight" } else { "replicas" }.to_owned(),
        expected_share_ratio: expected,
        by_connection: if ctx.observed() { share(|tally| tally.connections, by_connection) } else { None },
        by_request: share(|tally| tally.requests, by_request),
        failed_p_value: fisher_p((new.failed, new.requests), (stable.failed, stable.requests)),
        latency_p_value: slower.map(|test| test.p),
        canary_slower_ratio: slower.map(|test| test.second_larger_ratio),
        stable: version(ctx, &config.upstream_deployment, stable),
        canary: version(ctx, canary, new),
        decision: CanaryDecision::NoData,
        reasons: Vec::new(),
    };
    super::verdict::decide(&mut report, most_failed, changed);
    Some(report)
}

/// 0: stable, 1: canary. By the Deployment that owns the pod's `ReplicaSet`.
fn sides(ctx: &Context<'_, '_>, deployments: [&str; 2]) -> HashMap<PodAt, usize> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for entry in &ctx.raw.timeline {
        if let Subject::ReplicaSet { name, owner: Some(owner), .. } = &entry.subject {
            owners.insert(name, owner.strip_prefix("deployment/").unwrap_or(owner));
        }
    }
    let of = |owner: Option<&str>| {
        let deployment = owners.get(owner?.rsplit('/').next()?)?;
        deployments.iter().position(|name| name == deployment)
    };
    let pods = ctx.cluster.pods.iter().enumerate().filter(|(_, life)| life.role == Some(Role::Upstream));
    pods.filter_map(|(at, life)| Some((at as PodAt, of(life.owner)?))).collect()
}

/// Ready pods of each, and whether that changed during the run.
fn count_pods(ctx: &Context<'_, '_>, side: &HashMap<PodAt, usize>, tallies: &mut [Tally; 2]) -> bool {
    let (from_ns, until_ns) = (ctx.raw.run.started_ns, ctx.raw.run.ended_ns);
    let mut changed = false;
    for (at, side) in side {
        let life = ctx.cluster.pod(*at);
        if life.ready_throughout(from_ns, until_ns) {
            tallies[*side].pods += 1;
            tallies[*side].version = life.version.map(ToOwned::to_owned);
        } else {
            // One that was gone before is none of this run's.
            changed |= life.deletion_ns().is_none_or(|ns| ns > from_ns);
        }
    }
    changed
}

/// A choice is made once for each new connection, and not at all where an old entry applies.
fn count_connections(ctx: &Context<'_, '_>, side: &HashMap<PodAt, usize>, tallies: &mut [Tally; 2]) {
    let mut counted = HashSet::new();
    for attempt in &ctx.join.attempts {
        let (Some(side), Some(conn)) = (attempt.pod.and_then(|pod| side.get(&pod)), ctx.conn(attempt)) else {
            continue;
        };
        let chosen = conn.nat_source().is_some_and(|source| source != NatSource::Reused);
        tallies[*side].connections += u64::from(chosen && counted.insert(attempt.conn));
    }
}

fn count_requests(ctx: &Context<'_, '_>, side: &HashMap<PodAt, usize>, tallies: &mut [Tally; 2]) {
    for (position, client) in ctx.client.iter().enumerate() {
        let attempt = ctx.join.decisive(position as u32);
        // What the answer itself says stands in where nobody watched.
        let named = || ctx.cluster.named_by(client.pod_name?, client.sent_ns);
        let pod = attempt.and_then(|attempt| attempt.pod).or_else(named);
        let Some(side) = pod.and_then(|pod| side.get(&pod)) else { continue };
        let tally = &mut tallies[*side];
        tally.requests += 1;
        if !client.succeeded() {
            tally.failed += 1;
            continue;
        }
        tally.latency_us.push(client.end_ns.saturating_sub(super::ledger::start_ns(client)) / 1_000);
        let at_pod = attempt.and_then(|attempt| ctx.pod_exchange(attempt));
        if let Some((start_ns, end_ns)) = at_pod.and_then(|e| Some((e.request_start_ns(), e.response_end_ns()?))) {
            tally.service_us.push(end_ns.saturating_sub(start_ns) / 1_000);
        }
    }
}

fn version(ctx: &Context<'_, '_>, deployment: &str, tally: &Tally) -> VersionReport {
    let interval = clopper_pearson(tally.failed, tally.requests, WITHIN_RUN);
    let latency = |values: &[u64]| {
        let mut distribution = Distribution::new();
        for us in values {
            distribution.add_ns(us * 1_000);
        }
        distribution.latency()
    };
    VersionReport {
        deployment: deployment.to_owned(),
        version: tally.version.clone(),
        ready_pods_count: tally.pods,
        connections_count: ctx.observed().then_some(tally.connections),
        requests_count: tally.requests,
        failed_count: tally.failed,
        failed_ratio: ratio(tally.failed, tally.requests),
        failed_low_ratio: interval.map(|interval| interval.low),
        failed_high_ratio: interval.map(|interval| interval.high),
        latency_us: latency(&tally.latency_us),
        service_time_us: latency(&tally.service_us),
    }
}
