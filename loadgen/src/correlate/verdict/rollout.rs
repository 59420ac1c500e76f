//! Q10.1 to Q10.3: what a rolling update promises, what the hook is for, and what was lost.

use super::losses::{LeftFromBefore, causes, failed_of_sent, ledger_figures, made_after, pods};
use super::propagation::after_ms;
use super::sparse::seen_by_the_labs_loop;
use super::{Findings, Propagation, hook, measured, open, role};
use crate::correlate::cluster::Role;
use crate::correlate::context::Context;
use crate::correlate::failures::role_name;
use crate::report::Hook;
use crate::report::schema::{Cause, Failure, Measured, Source, Verdict};

/// Q10.1: `maxSurge: 1` and `maxUnavailable: 0`.
pub fn q10_1(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q10.1");
    let (from_ns, until_ns) = (ctx.raw.run.started_ns, ctx.raw.run.ended_ns);
    let config = &ctx.raw.run.config;
    let service = if role(ctx) == Role::Gateway { &config.gateway_service } else { &config.upstream_service };
    let endpoints = ctx.cluster.endpoints_of(service);
    let at_start = endpoints.and_then(|history| history.at(from_ns)).map(|state| state.ready);
    let fewest = endpoints.and_then(|history| history.fewest_ready(from_ns, until_ns));
    let most = most_pods(ctx);
    verdict.evidence = vec![
        measured(
            "ready_endpoints_at_start_count",
            at_start.map(f64::from),
            text_of(at_start, "ready endpoints at the start"),
        ),
        measured(
            "ready_endpoints_fewest_count",
            fewest.map(f64::from),
            text_of(fewest, "ready endpoints at the least"),
        ),
        measured(
            "pods_not_terminating_most_count",
            most.map(f64::from),
            text_of(most, "pods at the most, those on their way out left aside"),
        ),
        measured(
            "pods_replaced_count",
            Some(findings.deletions.len() as f64),
            format!("{} pods replaced", findings.deletions.len()),
        ),
    ];
    let (Some(at_start), Some(fewest), Some(most)) = (at_start, fewest, most) else {
        verdict.not_measured.push("the endpoints of the Service during the rollout".to_owned());
        return verdict;
    };
    let kept = fewest >= at_start;
    let held = if kept { "never fewer" } else { "at one time fewer" };
    let losses = failed_of_sent(findings);
    let but = if findings.ledger.failed > 0 && kept {
        format!(
            " Enough ready pods is not the same as no lost request: {losses}, because of how pods end, not of how many there are."
        )
    } else {
        format!(" In this run {losses}.")
    };
    verdict.claim = Some(format!(
        "maxSurge 1 lets one pod more than wanted exist, maxUnavailable 0 lets none be missing: a new pod must be ready before an old one is taken away. Measured: {at_start} ready endpoints at the start, {held} than that during the rollout (least {fewest}), and at most {most} pods beside those on their way out.{but}"
    ));
    verdict
}

fn text_of(value: Option<u32>, what: &str) -> String {
    value.map_or_else(|| format!("{what}: not measured"), |value| format!("{value} {what}"))
}

/// Most serving pods at one time, those on their way out left aside.
fn most_pods(ctx: &Context<'_, '_>) -> Option<u32> {
    let serving = || ctx.cluster.pods.iter().filter(|life| life.role == Some(role(ctx)));
    let alive_at = |at_ns: u64| {
        let alive = serving().filter(|life| {
            life.first_seen_ns.is_some_and(|ns| ns <= at_ns)
                && life.terminating_ns.or(life.gone_ns).is_none_or(|ns| ns > at_ns)
        });
        alive.count() as u32
    };
    serving().filter_map(|life| life.first_seen_ns).map(alive_at).max()
}

/// Q10.2: the purpose of the hook.
pub fn q10_2(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q10.2");
    let propagation = Propagation::of(findings.deletions, role_name(Some(role(ctx))));
    verdict.evidence = propagation_figures(propagation);
    let failed_hooks = findings.deletions.iter().filter(|deletion| deletion.hook_failed.is_some()).count();
    verdict.evidence.push(measured(
        "hooks_failed_count",
        Some(failed_hooks as f64),
        format!("the preStop hook of {failed_hooks} of {} deleted pods failed", findings.deletions.len()),
    ));
    let purpose = "A deletion stops the pod and takes it out of the Service at the same time, in no fixed order. A preStop hook that waits keeps the listener open until no new connection is sent to the pod.";
    let Some(last_ms) = propagation.last_new_connection_ms else {
        verdict.source = Source::Documented;
        verdict.claim = Some(purpose.to_owned());
        verdict.not_measured.push("how long new connections are sent to a pod after its deletion".to_owned());
        return verdict;
    };
    let measured_gap = match propagation.listener_gone_ms.or(propagation.address_gone_ms) {
        Some(gone_ms) if gone_ms <= last_ms => format!(
            "Measured: new connections were sent to a deleted pod for up to {last_ms:.0} ms, but from {gone_ms:.0} ms on they were refused or not answered; {} lost.",
            plural(findings.ledger.failed, "request was", "requests were")
        ),
        _ => format!(
            "Measured: new connections were sent to a deleted pod for up to {last_ms:.0} ms, and none of them was refused."
        ),
    };
    verdict.claim = Some(format!("{purpose} {measured_gap}{}", hook_in_this_run(ctx, findings, failed_hooks)));
    verdict.advice = hook_advice(ctx, findings, propagation);
    verdict
}

pub fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

pub fn hook_in_this_run(ctx: &Context<'_, '_>, findings: &Findings<'_>, failed: usize) -> String {
    match hook(ctx) {
        Some(Hook::Exec(command)) if failed > 0 => format!(
            " The hook of this run, exec `{command}`, failed for {failed} of {} pods (FailedPreStopHook): the image has no such program. A failed hook costs nothing but its absence, so there was no wait at all.",
            findings.deletions.len()
        ),
        Some(Hook::Exec(command)) => format!(" The hook of this run was exec `{command}`, and it worked."),
        Some(Hook::Sleep(seconds)) => {
            format!(
                " The hook of this run was preStop.sleep of {seconds} s: the kubelet waits, the image needs no shell."
            )
        }
        Some(Hook::Http) => " The hook of this run was an HTTP request.".to_owned(),
        Some(Hook::Absent) => " This run had no hook.".to_owned(),
        None => String::new(),
    }
}

/// What to change, when something was lost.
pub fn hook_advice(ctx: &Context<'_, '_>, findings: &Findings<'_>, propagation: Propagation) -> Vec<String> {
    let mut advice = Vec::new();
    let curable = |failure: &&Failure| failure.cause.is_of_a_deleted_pod() || failure.cause == Cause::GatewayTerminated;
    let before = LeftFromBefore::of(ctx);
    if let Some((_, repeat)) = before.in_words(findings.failures) {
        advice.push(repeat);
    }
    if !findings.failures.iter().filter(|failure| !before.has(failure)).any(curable) {
        return advice;
    }
    let container = if role(ctx) == Role::Gateway { "gateway's" } else { "serving" };
    let slept_s = if let Some(Hook::Sleep(seconds)) = hook(ctx) { seconds } else { 0 };
    if let Some(seconds) = propagation.advised_sleep_s().filter(|seconds| *seconds > slept_s) {
        let last_ms = propagation.last_new_connection_ms.or(propagation.endpoint_removed_ms).unwrap_or_default();
        advice.push(format!(
            "Set `lifecycle.preStop.sleep.seconds: {seconds}` on the {container} container: new connections reached a deleted pod for up to {last_ms:.0} ms (taken as at least 1 s, kube-proxy's usual pause between two syncs), doubled, and one second for requests on their way. It needs no shell in the image (Kubernetes 1.30 or later; in a patch set `exec: null` beside it)."
        ));
        advice.push(format!(
            "Keep terminationGracePeriodSeconds above {seconds} s plus the longest request: the hook's time counts."
        ));
    }
    if matches!(hook(ctx), Some(Hook::Exec(_))) && findings.deletions.iter().any(|d| d.hook_failed.is_some()) {
        advice.push(
            "Remove the exec hook: its program is not in the image, so it fails every time (FailedPreStopHook)."
                .to_owned(),
        );
    }
    advice
}

fn status_words(status: &str, n: u64) -> String {
    if status == "none" { format!("no answer × {n}") } else { format!("{status} × {n}") }
}

/// The gap as figures.
pub fn propagation_figures(propagation: Propagation) -> Vec<Measured> {
    let text = |value: Option<f64>, what: &str| {
        value.map_or_else(|| format!("{what}: not measured"), |ms| format!("{what}: {ms:.0} ms after the deletion"))
    };
    let figure = |name: &str, value: Option<f64>, what: &str| measured(name, value, text(value, what));
    vec![
        figure("endpoint_removed_longest_ms", propagation.endpoint_removed_ms, "endpoint taken out at the latest"),
        figure(
            "last_new_connection_longest_ms",
            propagation.last_new_connection_ms,
            "last new connection sent to a deleted pod",
        ),
        figure("listener_gone_shortest_ms", propagation.listener_gone_ms, "first connection refused"),
        figure("address_gone_shortest_ms", propagation.address_gone_ms, "first connection not answered"),
    ]
}

/// Q10.3: were there other status codes than 200, and why?
pub fn q10_3(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q10.3");
    let propagation = Propagation::of(findings.deletions, role_name(Some(role(ctx))));
    verdict.evidence = ledger_figures(findings);
    for deletion in findings.deletions.iter().filter(|deletion| deletion.failed > 0) {
        let until = after_ms(&deletion.chain, "last_new_connection");
        let text = until.map_or_else(|| "not measured".to_owned(), |ms| format!("{ms:.0} ms"));
        verdict.evidence.push(measured(
            "failed_by_pod_count",
            Some(deletion.failed as f64),
            format!(
                "{} requests lost at pod {}; new connections sent to it until {text}",
                deletion.failed, deletion.pod
            ),
        ));
    }
    if findings.deletions.is_empty() {
        verdict.not_measured.push("no pod was replaced during this run".to_owned());
    }
    let losses = failed_of_sent(findings);
    let (figures, sparse) = seen_by_the_labs_loop(ctx, findings);
    verdict.evidence.extend(figures);
    if findings.ledger.failed == 0 {
        verdict.claim = Some(format!(
            "No: {losses}, while {} replaced.{}{sparse}",
            plural(findings.deletions.len() as u64, "pod was", "pods were"),
            hook_in_this_run(ctx, findings, 0)
        ));
        return verdict;
    }
    let statuses: Vec<String> = findings
        .ledger
        .by_status
        .iter()
        .filter(|(status, _)| *status != "200")
        .map(|(status, n)| status_words(status, *n))
        .collect();
    let when = made_after(findings.failures, "their pod");
    let before = LeftFromBefore::of(ctx).in_words(findings.failures).map_or(String::new(), |(words, _)| words);
    verdict.claim = Some(format!(
        "Yes: {losses} ({}). Causes: {}. Pods: {}.{when}{before}{sparse}",
        statuses.join(", "),
        causes(findings),
        pods(findings)
    ));
    verdict.advice = hook_advice(ctx, findings, propagation);
    verdict
}
