//! Each pod: what it got, what became of it, and how fast it was.

use std::collections::HashSet;

use super::cluster::{PodAt, PodLife, Role};
use super::context::Context;
use super::distribution::Distribution;
use super::failures::{Failed, role_name};
use crate::raw::compact::Maybe;
use crate::report::schema::PodReport;

#[derive(Clone)]
struct Tally {
    requests: u64,
    failed: u64,
    connections: u64,
    resets: u64,
    retransmits: u64,
}

/// Every pod of gateway and upstream, in order of role and name.
pub fn pods(ctx: &Context<'_, '_>, failed: &[Failed]) -> Vec<PodReport> {
    let count = ctx.cluster.pods.len();
    let empty = Tally { requests: 0, failed: 0, connections: 0, resets: 0, retransmits: 0 };
    let mut tallies = vec![empty; count];
    let mut latency: Vec<Distribution> = (0..count).map(|_| Distribution::new()).collect();
    let mut service: Vec<Distribution> = (0..count).map(|_| Distribution::new()).collect();
    for (position, client) in ctx.client.iter().enumerate().filter(|(_, client)| client.succeeded()) {
        let attempt = ctx.join.decisive(position as u32);
        let pod = if ctx.observed() {
            attempt.and_then(|attempt| attempt.pod)
        } else {
            client.pod_name.and_then(|name| ctx.cluster.named_by(name, client.sent_ns))
        };
        for pod in [pod, ctx.front(position as u32).pod].into_iter().flatten() {
            tallies[pod as usize].requests += 1;
            latency[pod as usize].add_ns(client.end_ns.saturating_sub(super::ledger::start_ns(client)));
        }
        if let Some((attempt, pod)) = attempt.and_then(|attempt| Some((attempt, attempt.pod?)))
            && let Some(at_pod) = ctx.pod_exchange(attempt)
            && let Some(end_ns) = at_pod.response_end_ns()
        {
            service[pod as usize].add_ns(end_ns.saturating_sub(at_pod.request_start_ns()));
        }
    }
    for failed in failed {
        let gateway = ctx.front(failed.request).pod;
        let other = failed.pod.filter(|pod| Some(*pod) != gateway);
        for pod in [gateway, other].into_iter().flatten() {
            tallies[pod as usize].requests += 1;
            tallies[pod as usize].failed += 1;
        }
    }
    count_connections(ctx, &mut tallies);
    let totals = |role| -> u64 {
        let of_role = ctx.cluster.pods.iter().zip(&tallies).filter(|(life, _)| life.role == Some(role));
        of_role.map(|(_, tally)| tally.requests).sum()
    };
    let (gateway_total, upstream_total) = (totals(Role::Gateway), totals(Role::Upstream));
    let mut reports: Vec<PodReport> = Vec::new();
    for (at, life) in ctx.cluster.pods.iter().enumerate().filter(|(_, life)| life.role.is_some()) {
        let total = if life.role == Some(Role::Gateway) { gateway_total } else { upstream_total };
        reports.push(report(ctx, life, &tallies[at], total, &latency[at], &service[at]));
    }
    reports.sort_by(|a, b| (&a.role, &a.name, &a.uid).cmp(&(&b.role, &b.name, &b.uid)));
    reports
}

/// Connections of joined requests, at both ends, each once for each of its pods. One pod is the rule.
fn count_connections(ctx: &Context<'_, '_>, tallies: &mut [Tally]) {
    let mut first_pod = vec![Maybe::NONE; ctx.seen.conns().len()];
    let mut other_pods = HashSet::new();
    let mut count = |pod: Option<PodAt>, at: Option<u32>| {
        let (Some(pod), Some(at)) = (pod, at) else { return };
        let first = first_pod[at as usize].get();
        let new = first.is_none_or(|first| first != pod && other_pods.insert((pod, at)));
        first_pod[at as usize] = Maybe::some(first.unwrap_or(pod));
        if new {
            let tally = &mut tallies[pod as usize];
            tally.connections += 1;
            let conn = ctx.seen.conn(at);
            tally.resets += u64::from(conn.was_reset());
            tally.retransmits += u64::from(conn.retransmits()) + u64::from(conn.syn_retransmits());
        }
    };
    for attempt in &ctx.join.attempts {
        count(attempt.pod, attempt.conn.get());
    }
    for front in &ctx.join.front {
        count(front.pod, front.conn.get());
    }
}

fn report(
    ctx: &Context<'_, '_>,
    life: &PodLife<'_>,
    tally: &Tally,
    role_total: u64,
    latency: &Distribution,
    service: &Distribution,
) -> PodReport {
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
    let observed = ctx.observed();
    PodReport {
        name: life.name.to_owned(),
        uid: life.uid.to_owned(),
        role: role_name(life.role).to_owned(),
        ip: life.ip.map(|ip| ip.to_string()),
        node: owned(life.node),
        owner: owned(life.owner),
        revision: owned(life.revision),
        version: owned(life.version),
        requests: observed.then_some(tally.requests),
        succeeded: (observed || tally.requests > 0).then(|| tally.requests - tally.failed),
        failed: observed.then_some(tally.failed),
        connections: observed.then_some(tally.connections),
        resets: observed.then_some(tally.resets),
        retransmits: observed.then_some(tally.retransmits),
        share_ratio: (observed && role_total > 0).then(|| tally.requests as f64 / role_total as f64),
        restarts: life.restarts.map(|(first, last)| u64::try_from(last - first).unwrap_or(0)),
        // The kubelet's readings are ten seconds apart, the agent's a tenth of one.
        throttled_us: life.stopped_us(0, u64::MAX).or(match life.throttled_us.as_slice() {
            [(_, first), .., (_, last)] => Some(last.saturating_sub(*first)),
            _ => None,
        }),
        latency_us: latency.latency(),
        service_time_us: service.latency(),
    }
}
