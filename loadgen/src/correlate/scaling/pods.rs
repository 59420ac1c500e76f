//! Pods that came: from the change that wanted them to their first success, and what they really got.

use std::collections::HashMap;

use observer::record::NatSource;

use crate::correlate::clock::ms_between;
use crate::correlate::cluster::{PodAt, Role};
use crate::correlate::context::Context;
use crate::raw::{Subject, TimelineEntry};
use crate::report::schema::{ChainStep, NewPod};

/// What the kernel and the client know of a pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct Firsts {
    /// The first connection that a rule sent to it.
    pub connection_ns: Option<u64>,
    /// The first success that it served had ended at the client.
    pub success_ns: Option<u64>,
}

/// Everything about one pod that came.
#[derive(Clone, Debug)]
pub struct Came {
    /// The pod.
    pub pod: PodAt,
    /// The watch told of it.
    pub created_ns: u64,
    /// It had a node.
    pub scheduled_ns: Option<u64>,
    /// It was ready.
    pub ready_ns: Option<u64>,
    /// It was a ready endpoint.
    pub endpoint_ns: Option<u64>,
    /// Kernel and client.
    pub firsts: Firsts,
}

/// Pods of a role that were first seen during the run, in order of time.
pub fn came(ctx: &Context<'_, '_>, timeline: &[&TimelineEntry], role: Role) -> Vec<Came> {
    let run = &ctx.raw.run;
    let mut scheduled: HashMap<&str, u64> = HashMap::new();
    for entry in timeline {
        if let Subject::Pod { uid, node: Some(_), .. } = &entry.subject {
            scheduled.entry(uid).or_insert(entry.at_ns);
        }
    }
    let firsts = firsts(ctx, role);
    let mut came: Vec<Came> = Vec::new();
    for (at, life) in ctx.cluster.pods.iter().enumerate().filter(|(_, life)| life.role == Some(role)) {
        let Some(created_ns) = life.first_seen_ns.filter(|ns| (run.started_ns..=run.ended_ns).contains(ns)) else {
            continue;
        };
        let first = |changes: &[(u64, bool)]| changes.iter().find(|(_, ready)| *ready).map(|(ns, _)| *ns);
        came.push(Came {
            pod: at as PodAt,
            created_ns,
            scheduled_ns: scheduled.get(life.uid).copied(),
            ready_ns: first(&life.ready),
            endpoint_ns: first(&life.endpoint_ready),
            firsts: firsts.get(&(at as PodAt)).copied().unwrap_or_default(),
        });
    }
    came.sort_by_key(|pod| (pod.created_ns, pod.pod));
    came
}

fn firsts(ctx: &Context<'_, '_>, role: Role) -> HashMap<PodAt, Firsts> {
    let mut firsts: HashMap<PodAt, Firsts> = HashMap::new();
    let earlier = |slot: &mut Option<u64>, ns: u64| *slot = Some(slot.map_or(ns, |old| old.min(ns)));
    for (pod, ns) in new_connections(ctx, role) {
        earlier(&mut firsts.entry(pod).or_default().connection_ns, ns);
    }
    for (position, client) in ctx.client.iter().enumerate().filter(|(_, client)| client.succeeded()) {
        if let Some(pod) = served_by(ctx, position as u32, role) {
            earlier(&mut firsts.entry(pod).or_default().success_ns, client.end_ns);
        }
    }
    firsts
}

/// Connections that a rule chose a pod for, each once: the pod, and when.
fn new_connections(ctx: &Context<'_, '_>, role: Role) -> Vec<(PodAt, u64)> {
    let mut counted = std::collections::HashSet::new();
    let mut found = Vec::new();
    if role == Role::Upstream {
        for attempt in &ctx.join.attempts {
            let (Some(pod), Some(conn)) = (attempt.pod, ctx.conn(attempt)) else { continue };
            if conn.nat_source() == Some(NatSource::New) && counted.insert(conn.id) {
                found.push((pod, conn.opened_ns()));
            }
        }
    } else {
        for front in &ctx.join.front {
            let (Some(pod), Some(at)) = (front.pod, front.translation.get()) else { continue };
            let translation = ctx.seen.translation(at);
            if translation.source() == NatSource::New && counted.insert(at) {
                found.push((pod, translation.created_ns()));
            }
        }
    }
    found
}

/// The pod of that role that a request went to.
fn served_by(ctx: &Context<'_, '_>, request: u32, role: Role) -> Option<PodAt> {
    match role {
        Role::Gateway => ctx.front(request).pod,
        Role::Upstream => ctx.join.decisive(request).and_then(|attempt| attempt.pod),
    }
}

/// For the report. `start_ns`: the change that wanted the pod.
pub fn reports(
    ctx: &Context<'_, '_>,
    came: &[Came],
    role: Role,
    start_ns: impl Fn(&Came) -> Option<u64>,
) -> Vec<NewPod> {
    let config = &ctx.raw.run.config;
    let service = if role == Role::Gateway { &config.gateway_service } else { &config.upstream_service };
    let endpoints = ctx.cluster.endpoints_of(service);
    // Each request once: when it was sent, who got it, and how many endpoints there were.
    let requests: Vec<(u64, PodAt, u32)> = ctx
        .client
        .iter()
        .enumerate()
        .filter_map(|(position, client)| {
            let pod = served_by(ctx, position as u32, role)?;
            let ready = endpoints.and_then(|history| history.at(client.sent_ns)).map_or(0, |state| state.ready);
            Some((client.sent_ns, pod, ready))
        })
        .collect();
    let connections = new_connections(ctx, role);
    came.iter()
        .map(|pod| {
            let life = ctx.cluster.pod(pod.pod);
            let until_ns = life.endpoint_removed_ns().or(life.gone_ns).unwrap_or(ctx.raw.run.ended_ns);
            let in_service = pod.endpoint_ns.map(|from_ns| from_ns..until_ns.max(from_ns));
            let in_time = |ns: u64| in_service.as_ref().is_some_and(|time| time.contains(&ns));
            let of_that_time: Vec<_> = requests.iter().filter(|(sent_ns, _, _)| in_time(*sent_ns)).collect();
            let own = of_that_time.iter().filter(|(_, served_by, _)| *served_by == pod.pod).count() as u64;
            let fair: f64 =
                of_that_time.iter().filter(|(.., ready)| *ready > 0).map(|(.., n)| 1.0 / f64::from(*n)).sum();
            let known = ctx.observed() && in_service.is_some();
            let share = |part: f64| (known && !of_that_time.is_empty()).then(|| part / of_that_time.len() as f64);
            NewPod {
                pod: life.name.to_owned(),
                uid: life.uid.to_owned(),
                steps: steps(start_ns(pod), pod),
                in_service_ms: in_service.as_ref().map(|time| ms_between(time.start, time.end)),
                requests: known.then_some(own),
                new_connections: known
                    .then(|| connections.iter().filter(|(other, ns)| *other == pod.pod && in_time(*ns)).count() as u64),
                share_ratio: share(own as f64),
                fair_share_ratio: share(fair),
            }
        })
        .collect()
}

fn steps(start_ns: Option<u64>, pod: &Came) -> Vec<ChainStep> {
    chain(&[
        ("requested", start_ns, "kubernetes"),
        ("created", Some(pod.created_ns), "kubernetes"),
        ("scheduled", pod.scheduled_ns, "kubernetes"),
        ("ready", pod.ready_ns, "kubernetes"),
        ("endpoint_added", pod.endpoint_ns, "kubernetes"),
        ("first_connection", pod.firsts.connection_ns, "conntrack"),
        ("first_success", pod.firsts.success_ns, "client"),
    ])
}

/// Steps with their distance from the first one that is known.
pub fn chain(steps: &[(&str, Option<u64>, &str)]) -> Vec<ChainStep> {
    let start_ns = steps.iter().find_map(|(_, at_ns, _)| *at_ns);
    steps
        .iter()
        .map(|(step, at_ns, source)| ChainStep {
            step: (*step).to_owned(),
            at_ns: *at_ns,
            after_ms: start_ns.zip(*at_ns).map(|(start_ns, at_ns)| ms_between(start_ns, at_ns)),
            source: (*source).to_owned(),
            failed_until_next: None,
        })
        .collect()
}
