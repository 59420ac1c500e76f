//! Q8.1: when a pod was deleted during continuous requests, did any fail, and why (not)?

use super::losses::{LeftFromBefore, causes, failed_of_sent, ledger_figures, made_after, pods};
use super::rollout::{hook_advice, hook_in_this_run, propagation_figures};
use super::sparse::seen_by_the_labs_loop;
use super::{Findings, Propagation, hook, open, role};
use crate::correlate::context::Context;
use crate::correlate::failures::role_name;
use crate::report::Hook;
use crate::report::schema::Verdict;

/// The answer.
pub fn q8_1(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let propagation = Propagation::of(findings.deletions, role_name(Some(role(ctx))));
    let mut verdict = open("Q8.1");
    verdict.evidence = ledger_figures(findings);
    verdict.evidence.extend(propagation_figures(propagation));
    if findings.deletions.is_empty() {
        verdict.not_measured.push("no pod was seen to be deleted during this run".to_owned());
        return verdict;
    }
    if !ctx.observed() {
        verdict.not_measured.push("pods and causes: there are no records of an observer".to_owned());
    }
    let deleted = findings.deletions.len();
    let pods_deleted = if deleted == 1 { "1 pod was".to_owned() } else { format!("{deleted} pods were") };
    let losses = failed_of_sent(findings);
    let (figures, sparse) = seen_by_the_labs_loop(ctx, findings);
    verdict.evidence.extend(figures);
    verdict.claim = Some(if findings.ledger.failed == 0 {
        format!("No: {pods_deleted} deleted, and {losses}. {}{sparse}", why_nothing_failed(ctx, propagation))
    } else {
        let when = made_after(findings.failures, "the pod");
        let before = LeftFromBefore::of(ctx).in_words(findings.failures).map_or(String::new(), |(words, _)| words);
        verdict.advice = hook_advice(ctx, findings, propagation);
        let failed_hooks = findings.deletions.iter().filter(|deletion| deletion.hook_failed.is_some()).count();
        let hook = hook_in_this_run(ctx, findings, failed_hooks);
        format!(
            "Yes: {pods_deleted} deleted, and {losses}: {}. Pods: {}.{when}{before} The deletion stops the pod and takes it out of the Service at the same time, in no fixed order: until the node's rules have followed, new connections are still sent to it.{hook}{sparse}",
            causes(findings),
            pods(findings)
        )
    });
    verdict
}

fn why_nothing_failed(ctx: &Context<'_, '_>, propagation: Propagation) -> String {
    let last = propagation.last_new_connection_ms.map_or(String::new(), |ms| {
        format!(" New connections were still sent to it until {ms:.0} ms after its deletion, and it answered them.")
    });
    match hook(ctx) {
        Some(Hook::Sleep(seconds)) => {
            format!("preStop.sleep of {seconds} s kept the pod serving until the node's rules had followed.{last}")
        }
        _ => format!(
            "The pod went on serving until no new connection was sent to it, or none was sent in the gap.{last} That is luck or a server that ignores SIGTERM, not a guarantee."
        ),
    }
}
