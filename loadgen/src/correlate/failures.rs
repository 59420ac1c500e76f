//! Every failed request with its cause, and the deletions that explain them.

use super::cause::{Decision, decide};
use super::chain::{KernelMoments, chain, start_ns};
use super::clock::ms_between;
use super::cluster::{PodAt, Role};
use super::context::Context;
use super::ledger::outcome;
use crate::report::schema::{Deletion, Failure};

/// A failed request and the pod it is counted against.
pub struct Failed {
    /// Position of the request.
    pub request: u32,
    /// The pod.
    pub pod: Option<PodAt>,
    /// For the report.
    pub failure: Failure,
}

/// Decides on every request that did not succeed.
pub fn failures(ctx: &Context<'_, '_>, moments: &[KernelMoments]) -> Vec<Failed> {
    let failed = ctx.client.iter().enumerate().filter(|(_, client)| !client.succeeded());
    failed.map(|(position, _)| failure(ctx, position as u32, decide(ctx, position as u32), moments)).collect()
}

fn failure(ctx: &Context<'_, '_>, request: u32, decision: Decision, moments: &[KernelMoments]) -> Failed {
    let client = ctx.client[request as usize];
    let life = decision.pod.map(|pod| ctx.cluster.pod(pod));
    let deletion_ns = decision.pod.and_then(|pod| start_ns(ctx.cluster.pod(pod), &moments[pod as usize]));
    let failure = Failure {
        trace_id: client.trace_id.clone(),
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
        chain: decision.pod.map(|pod| chain(ctx, pod, &moments[pod as usize])).unwrap_or_default(),
    };
    Failed { request, pod: decision.pod, failure }
}

/// Each pod of gateway and upstream that was deleted during the run, in order of time.
pub fn deletions(ctx: &Context<'_, '_>, moments: &[KernelMoments], failed: &[Failed]) -> Vec<Deletion> {
    // What the preparation of an experiment had replaced before is no part of it, unless requests were lost there.
    let run = &ctx.raw.run;
    let lost_there = |at: PodAt| failed.iter().any(|failed| failed.pod == Some(at));
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
            let mut lost: Vec<f64> = Vec::new();
            let mut failed_requests = 0;
            for failed in failed.iter().filter(|failed| failed.pod == Some(at)) {
                failed_requests += 1;
                lost.extend(failed.failure.after_deletion_ms);
            }
            Deletion {
                pod: life.name.to_owned(),
                uid: life.uid.to_owned(),
                role: role_name(life.role).to_owned(),
                chain: chain(ctx, at, &moments[at as usize]),
                failed: failed_requests,
                first_failure_after_ms: lost.iter().copied().reduce(f64::min),
                last_failure_after_ms: lost.iter().copied().reduce(f64::max),
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
