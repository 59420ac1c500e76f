//! Every failed request with its cause, and the deletions that explain them.

use std::collections::HashMap;

use super::cause::{Decision, decide};
use super::chain::{self, KernelMoments, chain, start_ns};
use super::clock::ms_between;
use super::cluster::{PodAt, Role};
use super::context::Context;
use super::ledger::outcome;
use crate::report::schema::{ChainStep, Deletion, Failure};

/// A failed request and the pod it is counted against.
pub struct Failed {
    /// Position of the request.
    pub request: u32,
    /// The pod.
    pub pod: Option<PodAt>,
    /// When the decisive attempt was made.
    pub attempt_ns: Option<u64>,
    /// For the report.
    pub failure: Failure,
}

/// Decides on every request that did not succeed.
pub fn failures(ctx: &Context<'_, '_>, moments: &[KernelMoments]) -> Vec<Failed> {
    let failed = ctx.client.iter().enumerate().filter(|(_, client)| !client.succeeded());
    let mut failed: Vec<Failed> =
        failed.map(|(position, _)| failure(ctx, position as u32, decide(ctx, position as u32), moments)).collect();
    let chains = chains(ctx, moments, &failed);
    for failed in &mut failed {
        failed.failure.chain = failed.pod.and_then(|pod| chains.get(&pod)).cloned().unwrap_or_default();
    }
    failed
}

/// The chain of each pod that requests were lost at, with the number lost between its steps.
fn chains(ctx: &Context<'_, '_>, moments: &[KernelMoments], failed: &[Failed]) -> HashMap<PodAt, Vec<ChainStep>> {
    let mut attempts: HashMap<PodAt, Vec<u64>> = HashMap::new();
    for failed in failed {
        let Some(pod) = failed.pod else { continue };
        attempts.entry(pod).or_default().extend(failed.attempt_ns);
    }
    let chain_of = |(pod, attempts): (PodAt, Vec<u64>)| {
        let mut steps = chain(ctx, pod, &moments[pod as usize]);
        chain::count_lost(&mut steps, &attempts);
        (pod, steps)
    };
    attempts.into_iter().map(chain_of).collect()
}

fn failure(ctx: &Context<'_, '_>, request: u32, decision: Decision, moments: &[KernelMoments]) -> Failed {
    let client = ctx.client.at(request);
    let life = decision.pod.map(|pod| ctx.cluster.pod(pod));
    let deletion_ns = decision.pod.and_then(|pod| start_ns(ctx.cluster.pod(pod), &moments[pod as usize]));
    let failure = Failure {
        trace_id: client.trace_id(),
        seq: client.seq,
        due_at: ctx.clock.rfc3339(client.due_ns),
        due_ns: client.due_ns,
        sent_at: ctx.clock.rfc3339(client.sent_ns),
        sent_ns: client.sent_ns,
        ended_ns: client.end_ns,
        outcome: outcome(client),
        status: client.status,
        cause: decision.cause,
        pod: life.map(|life| life.name.to_owned()),
        pod_uid: life.map(|life| life.uid.to_owned()),
        gateway_pod: ctx.front(request).pod.map(|pod| ctx.pod_name(pod).to_owned()),
        joined_by: decision.joined_by,
        after_deletion_ms: deletion_ns.zip(decision.attempt_ns).map(|(deleted, tried)| ms_between(deleted, tried)),
        evidence: decision.facts.into_evidence(ctx.clock),
        chain: Vec::new(),
    };
    Failed { request, pod: decision.pod, attempt_ns: decision.attempt_ns, failure }
}

/// Each pod of gateway and upstream that was deleted during the run, in order of time.
pub fn deletions(ctx: &Context<'_, '_>, moments: &[KernelMoments], failed: &[Failed]) -> Vec<Deletion> {
    // What the preparation of an experiment had replaced before is no part of it, unless requests were lost there.
    let run = &ctx.raw.run;
    let mut by_pod: HashMap<PodAt, Vec<&Failed>> = HashMap::new();
    for failed in failed {
        let Some(pod) = failed.pod else { continue };
        by_pod.entry(pod).or_default().push(failed);
    }
    let lost_there = |at: PodAt| by_pod.contains_key(&at);
    let in_run = |ns: u64, at: PodAt| (run.started_ns..=run.ended_ns).contains(&ns) || lost_there(at);
    let mut deleted: Vec<(u64, PodAt)> = ctx
        .cluster
        .pods
        .iter()
        .enumerate()
        .filter(|(_, life)| life.role.is_some())
        .filter_map(|(at, life)| Some((start_ns(life, &moments[at])?, at as PodAt)))
        .filter(|(ns, at)| in_run(*ns, *at))
        .collect();
    deleted.sort_unstable();
    deleted
        .into_iter()
        .map(|(_, at)| {
            let life = ctx.cluster.pod(at);
            let of_pod = by_pod.get(&at).map_or(&[][..], Vec::as_slice);
            let lost = || of_pod.iter().filter_map(|failed| failed.failure.after_deletion_ms);
            let mut steps = chain(ctx, at, &moments[at as usize]);
            let attempts: Vec<u64> = of_pod.iter().filter_map(|failed| failed.attempt_ns).collect();
            chain::count_lost(&mut steps, &attempts);
            Deletion {
                pod: life.name.to_owned(),
                uid: life.uid.to_owned(),
                role: role_name(life.role).to_owned(),
                chain: steps,
                failed: of_pod.len() as u64,
                first_failure_after_ms: lost().reduce(f64::min),
                last_failure_after_ms: lost().reduce(f64::max),
                hook_failed: life.hook_failed.map(|(_, message)| message.to_owned()),
            }
        })
        .collect()
}

/// A role as the report spells it.
pub fn role_name(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Gateway) => "gateway",
        Some(Role::Upstream) => "upstream",
        None => "other",
    }
}
