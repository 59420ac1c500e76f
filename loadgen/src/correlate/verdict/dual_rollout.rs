//! Q10.4: gateway and serving pods are updated at the same time; which part lost what.

use std::collections::BTreeMap;

use super::losses::{causes, failed_of_sent, ledger_figures};
use super::{Findings, Propagation, measured, open};
use crate::correlate::context::Context;
use crate::report::schema::{Cause, Failure, Verdict};

/// The answer.
pub fn q10_4(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q10.4");
    verdict.evidence = ledger_figures(findings);
    let parts = [Part::new("gateway", findings), Part::new("upstream", findings)];
    let neither = findings.failures.iter().filter(|failure| part_of(failure).is_none()).count();
    for part in &parts {
        verdict.evidence.push(measured(
            &format!("failed_because_of_{}_count", part.role),
            Some(part.failures.len() as f64),
            format!("{} lost because of {} pods that ended: {}", part.failures.len(), part.words(), part.causes()),
        ));
        verdict.evidence.push(measured(
            &format!("{}_pods_replaced_count", part.role),
            Some(part.ends.len() as f64),
            format!("{} {} pods replaced", part.ends.len(), part.words()),
        ));
    }
    verdict.evidence.push(measured(
        "failed_because_of_neither_count",
        Some(neither as f64),
        format!("{neither} lost for another reason"),
    ));
    let [gateway, upstream] = &parts;
    let overlap_ms = overlap_ms(gateway, upstream);
    verdict.evidence.push(measured(
        "overlap_ms",
        overlap_ms,
        overlap_ms.map_or("overlap of both: not measured".to_owned(), |ms| {
            format!("pods of both parts were being replaced at the same time for {:.1} s", ms / 1_000.0)
        }),
    ));
    let during_both =
        findings.failures.iter().filter(|f| gateway.is_ending(f.sent_ns) && upstream.is_ending(f.sent_ns));
    let during_both = during_both.count();
    verdict.evidence.push(measured(
        "failed_while_both_parts_ended_count",
        Some(during_both as f64),
        format!("{during_both} of the failures were sent while a pod of each part was ending"),
    ));
    verdict
        .not_measured
        .push("what each rollout loses alone: `loadgen rollout` and `loadgen rollout --gateway` measure it".to_owned());
    verdict.not_measured.push("whether new and old versions of the two parts understand each other".to_owned());
    if gateway.ends.is_empty() || upstream.ends.is_empty() {
        verdict.not_measured.insert(0, "pods of both parts being replaced in one run".to_owned());
        return verdict;
    }
    if !ctx.observed() {
        verdict.not_measured.insert(0, "which part lost a request: there are no records of an observer".to_owned());
        return verdict;
    }
    let risk = "Two updates at once lose requests in two places, and the client sees one error rate: neither can be judged, or taken back, by itself.";
    let shape = format!(
        "{} gateway and {} serving pods were replaced, overlapping for {:.1} s",
        gateway.ends.len(),
        upstream.ends.len(),
        overlap_ms.unwrap_or_default() / 1_000.0
    );
    let losses = failed_of_sent(findings);
    verdict.claim = Some(if findings.ledger.failed == 0 {
        format!(
            "{risk} Measured: {shape}, and {losses}: both parts went on serving until nobody was sent to their old pods."
        )
    } else {
        let other = if neither > 0 { format!(", {neither} for another reason") } else { String::new() };
        format!(
            "{risk} Measured: {shape}; {losses}: {} because of gateway pods ({}), {} because of serving pods ({}){other}; {during_both} while pods of both parts were ending. In all: {}.",
            gateway.failures.len(),
            gateway.causes(),
            upstream.failures.len(),
            upstream.causes(),
            causes(findings)
        )
    });
    verdict.advice = parts.iter().filter_map(|part| part.advice(findings)).collect();
    verdict.advice.push(
        "Update one part at a time: the serving pods first, `kubectl rollout status`, a look at the failures, then the gateway; keep each version compatible with the neighbour's old and new one; take back one part without the other."
            .to_owned(),
    );
    verdict
}

/// The part whose pods' end is behind a failure.
fn part_of(failure: &Failure) -> Option<&'static str> {
    if failure.cause == Cause::GatewayTerminated {
        Some("gateway")
    } else if failure.cause.is_of_a_deleted_pod() {
        Some("upstream")
    } else {
        None
    }
}

/// One of the two.
struct Part<'f> {
    role: &'static str,
    failures: Vec<&'f Failure>,
    /// From the first sign of a pod's deletion to its end, as far as it was seen.
    ends: Vec<(u64, u64)>,
}

impl<'f> Part<'f> {
    fn new(role: &'static str, findings: &Findings<'f>) -> Self {
        let failures = findings.failures.iter().copied().filter(|failure| part_of(failure) == Some(role)).collect();
        let of_role = findings.deletions.iter().filter(|deletion| deletion.role == role);
        let ends = of_role.filter_map(|deletion| {
            let named = deletion.chain.iter().filter(|step| step.after_ms.is_some_and(|ms| ms >= 0.0));
            let times: Vec<u64> = named.filter_map(|step| step.at_ns).collect();
            Some((*times.iter().min()?, *times.iter().max()?))
        });
        Self { role, failures, ends: ends.collect() }
    }

    fn words(&self) -> &'static str {
        if self.role == "gateway" { "gateway" } else { "serving" }
    }

    fn is_ending(&self, at_ns: u64) -> bool {
        self.ends.iter().any(|(from_ns, until_ns)| (*from_ns..=*until_ns).contains(&at_ns))
    }

    fn causes(&self) -> String {
        let mut counts: BTreeMap<Cause, u64> = BTreeMap::new();
        for failure in &self.failures {
            *counts.entry(failure.cause).or_insert(0) += 1;
        }
        let words: Vec<String> = counts.iter().map(|(cause, n)| format!("{} × {n}", cause.name())).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }

    fn advice(&self, findings: &Findings<'_>) -> Option<String> {
        if self.failures.is_empty() {
            return None;
        }
        let seconds = Propagation::of(findings.deletions, self.role).advised_sleep_s()?;
        Some(format!(
            "Set `lifecycle.preStop.sleep.seconds: {seconds}` on the {} container (in a patch `exec: null` beside it, where it has an exec hook); `loadgen dual-rollout --prove-fix` proves it.",
            self.words()
        ))
    }
}

/// From the later of both beginnings to the earlier of both ends.
fn overlap_ms(a: &Part<'_>, b: &Part<'_>) -> Option<f64> {
    let from = |part: &Part<'_>| part.ends.iter().map(|(from_ns, _)| *from_ns).min();
    let until = |part: &Part<'_>| part.ends.iter().map(|(_, until_ns)| *until_ns).max();
    let (from_ns, until_ns) = (from(a)?.max(from(b)?), until(a)?.min(until(b)?));
    Some(until_ns.saturating_sub(from_ns) as f64 / 1e6)
}
