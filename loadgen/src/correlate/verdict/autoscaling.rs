//! Q9.1 to Q9.4: what the autoscaler did, and what its arithmetic says.

use super::scaling::{after, between, in_words, latencies, new_pods_share, shares, traffic_of_new_pods};
use super::{Findings, measured, open};
use crate::correlate::context::Context;
use crate::correlate::hpa::formula::{Pod, Standing, Tolerance, recommend};
use crate::report::schema::{AutoscalerReport, AutoscalerSync, ScaleChange, Scaling, Source, Verdict};

/// The case of Q9.3: pods, their use, and the target, both in percent.
const ASKED: (i32, i64, i32) = (2, 80, 50);

/// All four.
pub fn q9(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Vec<Verdict> {
    let Some(scaling) = findings.scaling else { return vec![q9_3(None, None)] };
    let own = scaling.autoscalers.iter().find(|autoscaler| Some(&autoscaler.name) == scaling.autoscaler.as_ref());
    let ups = |change: &&ScaleChange| change.to > change.from && change.by == "autoscaler";
    let up = scaling.changes.iter().find(ups);
    let down = scaling.changes.iter().find(|change| change.to < change.from && change.by == "autoscaler");
    vec![q9_1(own, up, down), q9_2(scaling, own, up), q9_3(own, up), q9_4(ctx, scaling, own, up)]
}

/// Why the windows differ.
fn q9_1(own: Option<&AutoscalerReport>, up: Option<&ScaleChange>, down: Option<&ScaleChange>) -> Verdict {
    let mut verdict = open("Q9.1");
    let to_decision = up.and_then(|up| between(up, "autoscaler_saw_it", "decision"));
    let asked_to_decision = down.and_then(|down| between(down, "formula_asks_for_less", "decision"));
    let window_s = own.map(|own| own.down_window_s);
    let held = own.map(|own| own.syncs.iter().filter(|sync| held_up(sync)).count());
    verdict.evidence = vec![
        measured(
            "seen_to_decision_up_ms",
            to_decision,
            in_words(to_decision, "on the way up: decided after the autoscaler had seen the load"),
        ),
        measured(
            "asked_to_decision_down_ms",
            asked_to_decision,
            in_words(asked_to_decision, "on the way down: decided after the formula had first asked for less"),
        ),
        measured(
            "down_window_s",
            window_s.map(f64::from),
            window_s.map_or_else(
                || "window of the way down: not known".to_owned(),
                |s| format!("window of the way down: {s} s"),
            ),
        ),
        measured(
            "syncs_held_up_count",
            held.map(|held| held as f64),
            held.map_or_else(
                || "syncs held up by the window: not measured".to_owned(),
                |held| {
                    format!(
                        "{held} syncs in which the formula asked for less and the window, or the rate limit, kept more"
                    )
                },
            ),
        ),
    ];
    let why = "Too few pods lose requests at once, too many only cost money, and a pod that is taken away must load its model again when the load returns. So the way up must not wait, and the way down takes the highest recommendation of its window: a dip shorter than that removes nothing.";
    let mut said = Vec::new();
    match to_decision {
        Some(ms) => {
            said.push(format!("the decision to add pods came {} after the autoscaler had seen the load", seconds(ms)));
        }
        None => verdict
            .not_measured
            .push("the time from metric to decision on the way up: no scale-up in this run".to_owned()),
    }
    match (asked_to_decision, window_s) {
        (Some(ms), Some(window_s)) => said.push(format!(
            "the decision to remove pods came {} after the formula had first asked for less, its window being {window_s} s",
            seconds(ms)
        )),
        _ => verdict.not_measured.push("the time from lower load to decision on the way down: no scale-down in this run".to_owned()),
    }
    if said.is_empty() {
        verdict.source = Source::Documented;
        verdict.claim = Some(why.to_owned());
    } else {
        verdict.claim = Some(format!("{why} Measured: {}.", said.join("; ")));
    }
    verdict.not_measured.push(
        "how often a load of this service dips and returns within the window (the reason is from the documentation)"
            .to_owned(),
    );
    verdict
}

fn held_up(sync: &AutoscalerSync) -> bool {
    sync.asked_replicas
        .is_some_and(|asked| asked < sync.desired_replicas && sync.desired_replicas == sync.current_replicas)
        && !sync.explanation.contains("minimum")
}

/// Why the ML service's threshold is lower.
fn q9_2(scaling: &Scaling, own: Option<&AutoscalerReport>, up: Option<&ScaleChange>) -> Verdict {
    let mut verdict = open("Q9.2");
    let lead = up.and_then(|up| after(up, "first_success").filter(|_| after(up, "load_changed").is_some()));
    verdict.evidence.push(measured(
        "load_to_first_success_ms",
        lead,
        in_words(lead, "the first success of a new pod, counted from the load's rise,"),
    ));
    verdict.evidence.extend(latencies(scaling));
    for autoscaler in &scaling.autoscalers {
        verdict.evidence.push(measured(
            "highest_cpu_percent",
            autoscaler.highest_percent.map(f64::from),
            format!(
                "{}: highest use {} with a target of {}",
                autoscaler.name,
                percent(autoscaler.highest_percent),
                percent(autoscaler.target_percent)
            ),
        ));
    }
    let why = "The target sets how much of its request a pod may use in normal times; the rest is what the pods that are there must live on until new ones serve. An inference pod spends its CPU on the request itself, gets slow at once when that is used up, and its successor needs long to come; a gateway mostly passes bytes on. So the ML service needs the larger reserve.";
    let target = own.and_then(|own| own.target_percent);
    if let (Some(lead), Some(target)) = (lead, target) {
        let headroom = 100.0 / f64::from(target);
        verdict.claim = Some(format!(
            "{why} Measured: {} passed from the rise of the load to the first success of a new pod; until then the old pods carried all of it. A target of {target} % lets the load grow {headroom:.1}-fold before the requests are used up.",
            seconds(lead)
        ));
    } else {
        verdict.source = Source::Documented;
        verdict.claim = Some(why.to_owned());
        verdict
            .not_measured
            .push("how long it takes from a rise of the load to the first success of a new pod".to_owned());
    }
    let others = scaling.autoscalers.iter().filter(|other| Some(&other.name) != scaling.autoscaler.as_ref());
    if others.filter(|other| other.syncs.iter().any(|sync| sync.percent.is_some())).count() == 0 {
        verdict.not_measured.push("the use of the other tier during the same load".to_owned());
    }
    verdict
}

/// The formula by hand, and in this run.
fn q9_3(own: Option<&AutoscalerReport>, up: Option<&ScaleChange>) -> Verdict {
    let mut verdict = open("Q9.3");
    verdict.source = Source::Computed;
    let (pods, use_percent, target) = ASKED;
    let each = Pod { standing: Standing::Measured(use_percent), request_milli: 100 };
    let asked = recommend(pods, target, Tolerance::default(), &vec![each; pods as usize]).ok().map(|r| r.replicas);
    verdict.evidence.push(measured(
        "computed_replicas_count",
        asked.map(f64::from),
        format!(
            "ceil({pods} × {use_percent} ÷ {target}) = ceil({:.1}) = {}; the ratio {:.1} is outside of the tolerance of 0.1",
            f64::from(pods) * use_percent as f64 / f64::from(target),
            asked.unwrap_or_default(),
            use_percent as f64 / f64::from(target)
        ),
    ));
    let Some(asked) = asked else { return verdict };
    let computed = format!(
        "{asked}: desired = ceil(current × use ÷ target) = ceil({pods} × {use_percent} % ÷ {target} %) = ceil({:.1}) = {asked}.",
        f64::from(pods) * use_percent as f64 / f64::from(target)
    );
    let case = own.zip(up).and_then(|(own, up)| decided_by(own, up));
    let agreement = own.map(|own| own.agreement);
    if let Some(agreement) = agreement {
        verdict.evidence.push(measured(
            "formula_agrees_count",
            Some(agreement.agreed as f64),
            format!(
                "formula and controller agree in {} of {} syncs that left a trace ({} of these within what we know of a window's edge; {} could not be compared)",
                agreement.agreed, agreement.compared, agreement.agreed_at_an_edge, agreement.not_comparable
            ),
        ));
    }
    let beside = if let Some(sync) = case {
        verdict.evidence.push(measured(
            "measured_desired_replicas_count",
            Some(f64::from(sync.desired_replicas)),
            format!("measured: {}; the controller decided on {}", sync.explanation, sync.desired_replicas),
        ));
        format!(
            " Beside it a case of this run: {} pod{} at {}, so {}; the controller decided on {}.",
            sync.current_replicas,
            if sync.current_replicas == 1 { "" } else { "s" },
            percent(sync.percent),
            sync.explanation,
            sync.desired_replicas
        )
    } else {
        verdict.not_measured.push("a scale-up of this run to hold beside it".to_owned());
        String::new()
    };
    let all = agreement.filter(|agreement| agreement.compared > 0).map_or(String::new(), |agreement| {
        format!(" In this run formula and controller agree in {} of {} syncs.", agreement.agreed, agreement.compared)
    });
    verdict.claim = Some(format!("{computed}{beside}{all}"));
    verdict
}

/// The sync behind a change.
fn decided_by<'r>(own: &'r AutoscalerReport, change: &ScaleChange) -> Option<&'r AutoscalerSync> {
    own.syncs.iter().find(|sync| {
        sync.current_replicas == change.from
            && sync.desired_replicas == change.to
            && sync.at_ns.abs_diff(change.at_ns) < 2_000_000_000
    })
}

/// What CPU does not see.
fn q9_4(ctx: &Context<'_, '_>, scaling: &Scaling, own: Option<&AutoscalerReport>, up: Option<&ScaleChange>) -> Verdict {
    let mut verdict = open("Q9.4");
    let metric = up.and_then(|up| after(up, "metric_above_target").filter(|_| after(up, "load_changed").is_some()));
    let decision = up.and_then(|up| after(up, "decision").filter(|_| after(up, "load_changed").is_some()));
    verdict.evidence.push(measured("load_to_metric_ms", metric, in_words(metric, "the metric was above its target")));
    verdict.evidence.push(measured("load_to_decision_ms", decision, in_words(decision, "the autoscaler decided")));
    if let Some(metrics) = &scaling.metrics {
        verdict.evidence.push(measured("metrics_interval_s", metrics.interval_s, metrics.profile.clone()));
    }
    let highest = own.and_then(|own| own.highest_percent);
    let limit = own.and_then(|_| limit_percent(ctx, scaling));
    verdict.evidence.push(measured(
        "highest_cpu_percent",
        highest.map(f64::from),
        format!(
            "highest use seen: {} of the request{}",
            percent(highest),
            limit.map_or(String::new(), |limit| format!("; the limit of a pod is {limit:.0} % of it"))
        ),
    ));
    verdict.evidence.extend(shares(scaling));

    let mut seen = Vec::new();
    match (metric, decision) {
        (Some(metric), Some(decision)) => seen.push(format!(
            "it comes late: {} from the rise of the load to the first metric above the target, {} to the decision",
            seconds(metric),
            seconds(decision)
        )),
        _ => verdict.not_measured.push("how late the metric comes: no scale-up by the load of this run".to_owned()),
    }
    if let Some((highest, limit)) = highest.zip(limit).filter(|(highest, limit)| f64::from(*highest) >= limit * 0.9) {
        seen.push(format!(
            "it ends at the limit: {highest} % was the highest use, where the CPU limit of a pod is {limit:.0} % of its request, however much more was asked of it"
        ));
    }
    if let Some((_, share, fair)) = new_pods_share(scaling)
        && share < fair / 2.0
    {
        seen.push(format!("it does not see that new pods get no work: {}", traffic_of_new_pods(ctx, scaling)));
    }
    let known = "CPU is a proxy: it does not see requests that wait, nor time spent on a GPU, on memory or on another service, nor latency; a batch or a long request looks like any other load; and it is an average over pods and over a window.";
    let proposal = "Better: requests in flight for each pod, or the length of its queue (a Pods metric through a metrics adapter), which rise before CPU does and go on rising when CPU is at its limit; with p95 latency as the thing to be kept. For GPU serving: its duty cycle and batch queue.";
    if seen.is_empty() {
        verdict.source = Source::Documented;
        verdict.claim = Some(format!("{known} {proposal}"));
    } else {
        verdict.claim = Some(format!("{known} Measured: {}. {proposal}", seen.join("; ")));
    }
    verdict
        .not_measured
        .push("the proposed metric itself: the proposal is from the documentation, no adapter runs here".to_owned());
    verdict
}

/// CPU limit of a serving pod in percent of its request, from the template at the start.
fn limit_percent(ctx: &Context<'_, '_>, scaling: &Scaling) -> Option<f64> {
    if scaling.deployment != ctx.raw.run.config.upstream_deployment {
        return None;
    }
    let template = ctx.raw.run.environment.upstream_template.as_ref()?;
    let resources = template.pointer("/spec/containers/0/resources")?;
    let milli = |path: &str| crate::raw::quantity::milli(resources.pointer(path)?.as_str()?);
    let (limit, request) = (milli("/limits/cpu")?, milli("/requests/cpu")?);
    (request > 0).then(|| limit as f64 * 100.0 / request as f64)
}

fn percent(value: Option<i32>) -> String {
    value.map_or_else(|| "not known".to_owned(), |value| format!("{value} %"))
}

fn seconds(ms: f64) -> String {
    format!("{:.1} s", ms / 1e3)
}
