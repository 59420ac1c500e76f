//! What was lost, in words.

use std::collections::{BTreeMap, HashSet};

use super::{Findings, measured};
use crate::correlate::context::Context;
use crate::report::schema::{Cause, Failure, Measured};

/// "68 of 6250 requests failed (1.09 %)".
pub fn failed_of_sent(findings: &Findings<'_>) -> String {
    let ledger = findings.ledger;
    if ledger.failed == 0 {
        return format!("none of {} requests failed", ledger.sent);
    }
    let percent = ledger.failed as f64 * 100.0 / ledger.sent.max(1) as f64;
    format!("{} of {} requests failed ({percent:.2} %)", ledger.failed, ledger.sent)
}

/// "41 were refused …, 27 were not answered …".
pub fn causes(findings: &Findings<'_>) -> String {
    let mut counts: Vec<(Cause, u64)> = findings.ledger.by_cause.iter().map(|(cause, n)| (*cause, *n)).collect();
    counts.sort_by_key(|(cause, n)| (std::cmp::Reverse(*n), *cause));
    let words: Vec<String> = counts.into_iter().map(|(cause, n)| format!("{n} {}", cause.in_words())).collect();
    words.join("; ")
}

/// So many pods are named in a sentence; `pods` and `deletions` of the report have all of them.
const NAMED_PODS: usize = 10;

/// The pods behind the failures, most first.
pub fn pods(findings: &Findings<'_>) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for failure in findings.failures {
        *counts.entry(failure.pod.as_deref().unwrap_or("an unknown pod")).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(pod, n)| (std::cmp::Reverse(*n), *pod));
    let (named, rest) = counts.split_at(counts.len().min(NAMED_PODS));
    let mut words: Vec<String> = named.iter().map(|(pod, n)| format!("{pod} ({n})")).collect();
    if !rest.is_empty() {
        words.push(format!("{} more ({})", rest.len(), rest.iter().map(|(_, n)| n).sum::<u64>()));
    }
    words.join(", ")
}

/// A sentence on when the attempts of failures were made; nothing when that is not known of any.
pub fn made_after(failures: &[&Failure], deleted: &str) -> String {
    let after = || failures.iter().filter_map(|failure| failure.after_deletion_ms);
    let (Some(first), Some(last)) = (after().reduce(f64::min), after().reduce(f64::max)) else { return String::new() };
    let (first, last) = (format!("{first:.0}"), format!("{last:.0}"));
    let when = if first == last { first } else { format!("{first} to {last}") };
    format!(" Their attempts were made {when} ms after the deletion of {deleted}.")
}

/// Losses that are not this run's: old conntrack entries led to pods that were gone before it began.
pub struct LeftFromBefore<'c> {
    gone: HashSet<&'c str>,
}

impl<'c> LeftFromBefore<'c> {
    /// Of the pods of a run.
    pub fn of(ctx: &Context<'_, 'c>) -> Self {
        let started_ns = ctx.raw.run.started_ns;
        let ended = ctx.cluster.pods.iter().filter(|life| {
            let ended_ns = life.absent_since_ns.or(life.terminating_ns).or(life.gone_ns);
            ended_ns.is_some_and(|ns| ns < started_ns)
        });
        Self { gone: ended.map(|life| life.uid).collect() }
    }

    /// This failure is one.
    pub fn has(&self, failure: &Failure) -> bool {
        // An address that no pod has had since the watch began was a pod's before it.
        let gone = failure.pod_uid.as_deref().is_none_or(|uid| self.gone.contains(uid));
        failure.cause == Cause::StaleNatEntry && gone
    }

    /// A sentence, where there are any, and the advice.
    pub fn in_words(&self, failures: &[&Failure]) -> Option<(String, String)> {
        let count = failures.iter().filter(|failure| self.has(failure)).count();
        (count > 0).then(|| {
            (
                format!(
                    " Left from before this run: {count} of {}, by conntrack entries to pods that were gone when it began. Such an entry ends two minutes after its last packet.",
                    failures.len()
                ),
                format!(
                    "Repeat it with `--wait-nat`, which waits until older NAT entries have ended: {count} of {} losses are not this run's.",
                    failures.len()
                ),
            )
        })
    }
}

/// The ledger as figures.
pub fn ledger_figures(findings: &Findings<'_>) -> Vec<Measured> {
    let ledger = findings.ledger;
    let mut figures = vec![
        measured("requests_sent_count", Some(ledger.sent as f64), format!("{} requests sent", ledger.sent)),
        measured("requests_failed_count", Some(ledger.failed as f64), failed_of_sent(findings)),
        measured(
            "requests_unaccounted_count",
            Some(ledger.unaccounted as f64),
            format!("{} unaccounted for", ledger.unaccounted),
        ),
    ];
    for (cause, n) in &ledger.by_cause {
        figures.push(measured(
            &format!("failed_{}_count", cause.name()),
            Some(*n as f64),
            format!("{n} {}", cause.in_words()),
        ));
    }
    for (status, n) in ledger.by_status.iter().filter(|(status, _)| !matches!(status.as_str(), "200")) {
        figures.push(measured(&format!("status_{status}_count"), Some(*n as f64), format!("{n} with status {status}")));
    }
    figures
}
