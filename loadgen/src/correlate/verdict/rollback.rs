//! Step 10.5: an update taken back.

use super::losses::{causes, failed_of_sent, ledger_figures};
use super::rollout::{hook_advice, propagation_figures};
use super::{Findings, Propagation, measured, open, role};
use crate::correlate::clock::ms_between;
use crate::correlate::context::Context;
use crate::correlate::failures::role_name;
use crate::raw::Subject;
use crate::report::schema::Verdict;

/// What the rollback did, and what it cost. The lab asks no question here, so it goes by the number of the step.
pub fn step_10_5(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("10.5");
    let propagation = Propagation::of(findings.deletions, role_name(Some(role(ctx))));
    verdict.evidence = ledger_figures(findings);
    let undone = ctx.raw.timeline.iter().find_map(|entry| match &entry.subject {
        Subject::Action { name, target, requested_ns, detail, .. } if name == "undo" => {
            Some((target, *requested_ns, detail))
        }
        _ => None,
    });
    let Some((target, asked_ns, detail)) = undone else {
        verdict.not_measured.push("nothing was rolled back in this run".to_owned());
        return verdict;
    };
    let gone_ns = findings.deletions.iter().filter_map(|deletion| deletion.chain.last()?.at_ns).max();
    let took_ms = gone_ns.map(|gone_ns| ms_between(asked_ns, gone_ns));
    let took = took_ms.map_or("until the last old pod was gone: not measured".to_owned(), |ms| {
        format!("{:.1} s until the last old pod was gone", ms / 1_000.0)
    });
    verdict.evidence.push(measured("rollback_took_ms", took_ms, took.clone()));
    verdict.evidence.extend(propagation_figures(propagation));
    let losses = failed_of_sent(findings);
    let why = if findings.ledger.failed > 0 {
        format!(": {}. A rollback is a rolling update like any other and loses what that loses", causes(findings))
    } else {
        String::new()
    };
    verdict.claim = Some(format!(
        "{target} was rolled back {detail}; {took}, {} pods replaced. The old template is a new revision: history only grows. {losses}{why}.",
        findings.deletions.len()
    ));
    verdict.advice = hook_advice(ctx, findings, propagation);
    verdict
}
