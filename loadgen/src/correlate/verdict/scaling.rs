//! Lab steps 8.1 and 8.5: replicas added, and taken away, while requests came in.

use super::Propagation;
use super::losses::{causes, failed_of_sent, ledger_figures};
use super::rollout::{hook_advice, plural};
use super::{Findings, hook, measured, open, role};
use crate::correlate::context::Context;
use crate::correlate::failures::role_name;
use crate::report::schema::{Measured, NewPod, ScaleChange, Scaling, ScalingPhase, Verdict};

/// Both steps.
pub fn steps(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Vec<Verdict> {
    vec![step_8_1(ctx, findings), step_8_5(ctx, findings)]
}

fn step_8_1(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("8.1");
    let scaling = findings.scaling;
    let Some((scaling, up)) =
        scaling.and_then(|scaling| Some((scaling, scaling.changes.iter().find(|c| c.to > c.from)?)))
    else {
        verdict.not_measured.push("no replicas were added during this run".to_owned());
        return verdict;
    };
    let mut parts = Vec::new();
    for (step, words) in [
        ("first_pod_created", "the first new pod existed"),
        ("pods_ready", "all new pods were ready"),
        ("endpoints_added", "all were endpoints"),
        ("first_connection", "the first connection was sent to one"),
        ("first_success", "the first success came from one"),
    ] {
        let ms = after(up, step);
        verdict.evidence.push(measured(&format!("{step}_ms"), ms, in_words(ms, words)));
        match ms {
            Some(ms) => parts.push(format!("{words} after {ms:.0} ms")),
            None => verdict.not_measured.push(format!("when {words}")),
        }
    }
    verdict.evidence.extend(shares(scaling));
    verdict.evidence.extend(latencies(scaling));
    verdict.claim = Some(format!(
        "Scaled from {} to {} replicas: {}. {}{}",
        up.from,
        up.to,
        parts.join(", "),
        traffic_of_new_pods(ctx, scaling),
        tail_words(scaling)
    ));
    verdict
}

fn step_8_5(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("8.5");
    verdict.evidence = ledger_figures(findings);
    let Some(down) = findings.scaling.and_then(|scaling| scaling.changes.iter().find(|change| change.to < change.from))
    else {
        verdict.not_measured.push("no replicas were taken away during this run".to_owned());
        return verdict;
    };
    let gone = after(down, "pods_gone");
    let last = after(down, "last_new_connection");
    verdict.evidence.push(measured("pods_gone_ms", gone, in_words(gone, "all pods were gone")));
    verdict.evidence.push(measured(
        "last_new_connection_ms",
        last,
        in_words(last, "the last connection was sent to one"),
    ));
    verdict.evidence.push(measured(
        "failed_at_removed_pods_count",
        Some(down.failed as f64),
        format!("{} requests lost at the pods that went", down.failed),
    ));
    let until = last
        .map_or(String::new(), |ms| format!(" New connections were sent to them until {ms:.0} ms after the request."));
    let lost = if findings.ledger.failed == 0 {
        format!("Over the whole run {}.", failed_of_sent(findings))
    } else {
        format!("Over the whole run {}: {}.", failed_of_sent(findings), causes(findings))
    };
    let hook = hook(ctx).map_or(String::new(), |hook| format!(" ({hook})"));
    verdict.claim = Some(format!(
        "Scaled back from {} to {} replicas{hook}: {} lost at the {} that went ({}).{until} {lost}",
        down.from,
        down.to,
        plural(down.failed, "request was", "requests were"),
        plural(down.pods.len() as u64, "pod", "pods"),
        down.pods.join(", ")
    ));
    let propagation = Propagation::of(findings.deletions, role_name(Some(role(ctx))));
    verdict.advice = hook_advice(ctx, findings, propagation);
    verdict
}

/// Time of a step after the first one.
pub fn after(change: &ScaleChange, step: &str) -> Option<f64> {
    change.steps.iter().find(|known| known.step == step).and_then(|known| known.after_ms)
}

/// From one step to another.
pub fn between(change: &ScaleChange, from: &str, to: &str) -> Option<f64> {
    after(change, to).zip(after(change, from)).map(|(to, from)| to - from)
}

/// "x after 12 ms".
pub fn in_words(ms: Option<f64>, words: &str) -> String {
    ms.map_or_else(|| format!("{words}: not measured"), |ms| format!("{words} after {ms:.0} ms"))
}

/// Requests of new pods and what was their due.
pub fn new_pods_share(scaling: &Scaling) -> Option<(u64, f64, f64)> {
    let known: Vec<(&NewPod, u64)> = scaling.new_pods.iter().filter_map(|pod| Some((pod, pod.requests?))).collect();
    if known.is_empty() {
        return None;
    }
    // A share is of the time of that pod: summed up in requests, not in ratios.
    let (mut got, mut all, mut fair) = (0, 0.0, 0.0);
    for (pod, requests) in &known {
        let (Some(share), Some(due)) = (pod.share_ratio, pod.fair_share_ratio) else { continue };
        got += requests;
        let total = if share > 0.0 { *requests as f64 / share } else { 0.0 };
        all += total;
        fair += due * total;
    }
    let average = |of: fn(&NewPod) -> Option<f64>| {
        let values: Vec<f64> = scaling.new_pods.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    if all > 0.0 && known.iter().all(|(_, requests)| *requests > 0) {
        return Some((got, got as f64 / all, fair / all));
    }
    Some((got, average(|pod| pod.share_ratio)?, average(|pod| pod.fair_share_ratio)?))
}

/// What new pods really got, in a sentence.
pub fn traffic_of_new_pods(ctx: &Context<'_, '_>, scaling: &Scaling) -> String {
    let Some((got, share, fair)) = new_pods_share(scaling) else {
        return "What the new pods got is not measured.".to_owned();
    };
    let kept = scaling.requests_on_kept_connections.unwrap_or(0);
    let sent = ctx.client.len().max(1) as u64;
    let of_each = format!(
        "While they were in service, the {} got {got} requests, {:.1} % of all for each of them where an even spread gives {:.1} %.",
        plural(scaling.new_pods.len() as u64, "new pod", "new pods"),
        share * 100.0,
        fair * 100.0
    );
    if kept * 2 > sent && share < fair / 2.0 {
        format!(
            "{of_each} The gateway keeps its connections ({kept} of {sent} requests went over one that was there before), and a pod is chosen only when a connection is made: new pods stay idle."
        )
    } else {
        of_each
    }
}

/// Share of each new pod.
pub fn shares(scaling: &Scaling) -> Vec<Measured> {
    scaling
        .new_pods
        .iter()
        .map(|pod| {
            let percent =
                |ratio: Option<f64>| ratio.map_or_else(|| "not measured".to_owned(), |r| format!("{:.1} %", r * 100.0));
            measured(
                "new_pod_share_ratio",
                pod.share_ratio,
                format!(
                    "{}: {} requests, {} of all while it was in service; an even spread: {}",
                    pod.pod,
                    pod.requests.map_or_else(|| "?".to_owned(), |n| n.to_string()),
                    percent(pod.share_ratio),
                    percent(pod.fair_share_ratio)
                ),
            )
        })
        .collect()
}

/// p99 of each stretch.
pub fn latencies(scaling: &Scaling) -> Vec<Measured> {
    scaling
        .phases
        .iter()
        .filter(|phase| phase.requests > 0)
        .map(|phase| measured("p99_us", phase.latency.as_ref().map(|l| l.p99_us as f64), phase_words(phase)))
        .collect()
}

fn phase_words(phase: &ScalingPhase) -> String {
    let latency = phase.latency.as_ref().map_or_else(
        || "no success".to_owned(),
        |latency| format!("p50 {:.2} ms, p99 {:.2} ms", latency.p50_us as f64 / 1e3, latency.p99_us as f64 / 1e3),
    );
    format!(
        "{} ({:.1} to {:.1} s): {} requests, {} failed, {latency}",
        phase.name,
        phase.from_ms / 1e3,
        phase.until_ms / 1e3,
        phase.requests,
        phase.failed
    )
}

/// p99 of the first and of the busiest stretches, in a sentence.
fn tail_words(scaling: &Scaling) -> String {
    let p99: Vec<String> = scaling
        .phases
        .iter()
        .filter(|phase| phase.requests >= 100)
        .filter_map(|phase| Some(format!("{:.2} ms with {}", phase.latency.as_ref()?.p99_us as f64 / 1e3, phase.name)))
        .collect();
    if p99.is_empty() { String::new() } else { format!(" p99: {}.", p99.join(", ")) }
}
