//! The chain of one change: from what brought it about to its last effect.

use super::autoscalers::Watched;
use super::changes::{By, Change};
use super::phases::load_steps;
use super::pods::{Came, chain};
use crate::correlate::context::Context;
use crate::correlate::hpa::inputs::Inputs;
use crate::report::schema::{ChainStep, Deletion};

/// Status and Deployment tell of one decision at slightly different times.
const DECISION_APART_NS: u64 = 1_500_000_000;

type Step = (&'static str, Option<u64>, &'static str);

/// More replicas.
pub fn up(
    ctx: &Context<'_, '_>,
    change: &Change,
    pods: &[&Came],
    autoscaler: Option<&Watched<'_>>,
    inputs: &Inputs<'_>,
) -> Vec<ChainStep> {
    let mut steps = cause(ctx, change, autoscaler, inputs);
    let first = |of: fn(&Came) -> Option<u64>| pods.iter().filter_map(|pod| of(pod)).min();
    // "All of them" is only known when each is.
    let last = |of: fn(&Came) -> Option<u64>| {
        let all: Option<Vec<u64>> = pods.iter().map(|pod| of(pod)).collect();
        all.and_then(|all| all.into_iter().max())
    };
    steps.extend([
        ("replicas_set", Some(change.at_ns), "kubernetes"),
        ("first_pod_created", first(|pod| Some(pod.created_ns)), "kubernetes"),
        ("pods_scheduled", last(|pod| pod.scheduled_ns), "kubernetes"),
        ("first_pod_ready", first(|pod| pod.ready_ns), "kubernetes"),
        ("pods_ready", last(|pod| pod.ready_ns), "kubernetes"),
        ("endpoints_added", last(|pod| pod.endpoint_ns), "kubernetes"),
        ("first_connection", first(|pod| pod.firsts.connection_ns), "conntrack"),
        ("first_success", first(|pod| pod.firsts.success_ns), "client"),
    ]);
    chain(&steps)
}

/// Fewer replicas.
pub fn down(
    ctx: &Context<'_, '_>,
    change: &Change,
    gone: &[&Deletion],
    autoscaler: Option<&Watched<'_>>,
    inputs: &Inputs<'_>,
) -> Vec<ChainStep> {
    let mut steps = cause(ctx, change, autoscaler, inputs);
    let of = |deletion: &Deletion, step: &str| {
        deletion.chain.iter().find(|known| known.step == step).and_then(|known| known.at_ns)
    };
    let last = |step: &str| gone.iter().filter_map(|deletion| of(deletion, step)).max();
    let all_gone: Option<Vec<u64>> = gone.iter().map(|deletion| of(deletion, "pod_gone")).collect();
    steps.extend([
        ("replicas_set", Some(change.at_ns), "kubernetes"),
        ("first_pod_terminating", gone.iter().filter_map(|d| of(d, "terminating_seen")).min(), "kubernetes"),
        ("endpoints_removed", last("endpoint_removed"), "kubernetes"),
        ("last_new_connection", last("last_new_connection"), "conntrack"),
        ("pods_gone", all_gone.and_then(|all| all.into_iter().max()), "kubernetes"),
    ]);
    chain(&steps)
}

/// First sign of a pod's end.
pub fn began_ns(deletion: &Deletion) -> Option<u64> {
    deletion.chain.iter().take(3).filter_map(|step| step.at_ns).min()
}

/// What brought a change about.
fn cause(ctx: &Context<'_, '_>, change: &Change, autoscaler: Option<&Watched<'_>>, inputs: &Inputs<'_>) -> Vec<Step> {
    match (&change.by, autoscaler) {
        (By::Us(requested_ns), _) => vec![("requested", Some(*requested_ns), "action")],
        (By::Autoscaler, Some(watched)) => by_load(ctx, change, watched, inputs),
        _ => Vec::new(),
    }
}

fn by_load(ctx: &Context<'_, '_>, change: &Change, watched: &Watched<'_>, inputs: &Inputs<'_>) -> Vec<Step> {
    let up = change.to > change.from;
    let run = &ctx.raw.run;
    let loads = load_steps(&run.config.schedule, run.started_ns);
    let turns = loads.windows(2).filter(|pair| if up { pair[1].1 > pair[0].1 } else { pair[1].1 < pair[0].1 });
    let load_ns = turns.map(|pair| pair[1].0).filter(|ns| *ns <= change.at_ns).max();
    let from_ns = load_ns.unwrap_or(run.started_ns);
    let Some(target) = watched.last.target_percent.map(f64::from) else {
        return vec![("load_changed", load_ns, "schedule")];
    };
    let edge = if up { target * 1.1 } else { target * 0.9 };
    let beyond = |percent: i32| if up { f64::from(percent) > edge } else { f64::from(percent) < edge };
    let of_time =
        || watched.syncs.iter().filter(|sync| sync.at_ns > from_ns && sync.at_ns <= change.at_ns + DECISION_APART_NS);
    let saw = of_time().find(|sync| sync.state.cpu_percent.is_some_and(beyond)).map(|sync| sync.at_ns);
    let asked = of_time()
        .find(|sync| {
            sync.asked.is_some_and(|asked| {
                if up { asked > sync.state.current_replicas } else { asked < sync.state.current_replicas }
            })
        })
        .map(|sync| sync.at_ns);
    let decided = of_time()
        .rfind(|sync| sync.state.desired_replicas == change.to && sync.state.current_replicas == change.from)
        .map(|sync| sync.at_ns);
    let known = inputs
        .first_beyond(&watched.last.target, from_ns, edge, !up)
        .filter(|ns| *ns <= change.at_ns + DECISION_APART_NS);
    vec![
        ("load_changed", load_ns, "schedule"),
        (if up { "metric_above_target" } else { "metric_below_target" }, known, "metrics_api"),
        ("autoscaler_saw_it", saw, "autoscaler"),
        (if up { "formula_asks_for_more" } else { "formula_asks_for_less" }, asked, "computed"),
        ("decision", decided, "autoscaler"),
    ]
}
