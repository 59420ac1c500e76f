//! How the number of pods followed what was asked for: the section `scaling` of the report.

mod autoscalers;
mod changes;
mod phases;
mod pods;
mod reapplied;
mod steps;

use super::cluster::Role;
use super::context::Context;
use super::failures::role_name;
use super::hpa::inputs::Inputs;
use super::seen::Exch;
use crate::raw::{Subject, TimelineEntry};
use crate::report::schema::{Deletion, ScaleChange, Scaling};
use autoscalers::Watched;
use changes::Change;
use pods::Came;

pub use reapplied::warnings;

/// The watch of pods may tell of a pod this much before the one of Deployments tells of the change that wanted it.
const WATCHES_APART_NS: u64 = 500_000_000;

/// The section. `None`: the run did not watch what it takes.
pub fn scaling(ctx: &Context<'_, '_>, timeline: &[&TimelineEntry], deletions: &[Deletion]) -> Option<Scaling> {
    let config = &ctx.raw.run.config;
    let deployment = config.experiment.get("deployment")?;
    let at_start = timeline.iter().find_map(|entry| match &entry.subject {
        Subject::Deployment(state) if state.name == *deployment => Some(state.replicas),
        _ => None,
    })?;
    let role = if *deployment == config.gateway_deployment { Role::Gateway } else { Role::Upstream };
    let run = &ctx.raw.run;
    let inputs = Inputs::new(timeline, i128::from(run.anchor_realtime_ns) - i128::from(run.anchor_monotonic_ns));
    let watched = autoscalers::watched(timeline, &inputs);
    let autoscaler = config.experiment.get("hpa").cloned();
    let own = watched.iter().find(|one| Some(&one.last.name) == autoscaler.as_ref());

    let all = changes::changes(timeline);
    let changes: Vec<&Change> = all
        .iter()
        .filter(|change| change.deployment == *deployment && (run.started_ns..=run.ended_ns).contains(&change.at_ns))
        .collect();
    let came = pods::came(ctx, timeline, role);
    let chains: Vec<ScaleChange> = changes
        .iter()
        .enumerate()
        .map(|(position, change)| {
            let next_ns = changes.get(position + 1).map_or(u64::MAX, |next| next.start_ns());
            report(ctx, change, next_ns, &came, deletions, own, &inputs, role)
        })
        .collect();
    let wanted_by = |pod: &Came| {
        let before = changes
            .iter()
            .rev()
            .find(|change| change.to > change.from && change.start_ns() <= pod.created_ns + WATCHES_APART_NS);
        before.map(|change| change.start_ns())
    };
    let spans: Vec<phases::Span> = changes.iter().zip(&chains).map(|(change, chain)| span(change, chain)).collect();
    let kept = ctx.join.attempts.iter().filter(|attempt| ctx.exchange(attempt).is_some_and(Exch::reused));
    Some(Scaling {
        deployment: deployment.clone(),
        role: role_name(Some(role)).to_owned(),
        autoscaler,
        new_pods: pods::reports(ctx, &came, role, wanted_by),
        phases: phases::phases(ctx, &spans, Some(at_start)),
        changes: chains,
        autoscalers: watched.iter().map(|one| autoscalers::report(one, ctx.clock, run.started_ns)).collect(),
        metrics: autoscalers::metrics(&inputs, &watched),
        requests_on_kept_connections: ctx.observed().then(|| kept.count() as u64),
    })
}

fn span(change: &Change, chain: &ScaleChange) -> phases::Span {
    let settled = ["endpoints_added", "pods_gone"];
    let until = chain.steps.iter().filter(|step| settled.contains(&step.step.as_str())).filter_map(|step| step.at_ns);
    let from_ns = change.start_ns();
    phases::Span { from_ns, until_ns: until.max().unwrap_or(from_ns).max(from_ns), from: change.from, to: change.to }
}

#[expect(clippy::too_many_arguments, reason = "each is another source of the same chain")]
fn report(
    ctx: &Context<'_, '_>,
    change: &Change,
    next_ns: u64,
    came: &[Came],
    deletions: &[Deletion],
    autoscaler: Option<&Watched<'_>>,
    inputs: &Inputs<'_>,
    role: Role,
) -> ScaleChange {
    let during = |ns: u64| ns + WATCHES_APART_NS >= change.start_ns() && ns + WATCHES_APART_NS < next_ns;
    let (steps, pods, failed) = if change.to > change.from {
        let pods: Vec<&Came> = came.iter().filter(|pod| during(pod.created_ns)).collect();
        let names = pods.iter().map(|pod| ctx.pod_name(pod.pod).to_owned()).collect();
        (steps::up(ctx, change, &pods, autoscaler, inputs), names, 0)
    } else {
        let gone: Vec<&Deletion> = deletions
            .iter()
            .filter(|deletion| deletion.role == role_name(Some(role)))
            .filter(|deletion| steps::began_ns(deletion).is_some_and(during))
            .collect();
        let names = gone.iter().map(|deletion| deletion.pod.clone()).collect();
        let failed = gone.iter().map(|deletion| deletion.failed).sum();
        (steps::down(ctx, change, &gone, autoscaler, inputs), names, failed)
    };
    ScaleChange {
        at: ctx.clock.rfc3339(change.at_ns),
        at_ns: change.at_ns,
        after_start_ms: super::clock::ms_between(ctx.raw.run.started_ns, change.at_ns),
        from: change.from,
        to: change.to,
        by: change.by.name(),
        steps,
        pods,
        failed,
    }
}
