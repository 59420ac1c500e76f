//! What was lost, in words.

use std::collections::BTreeMap;

use super::{Findings, measured};
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

/// The pods behind the failures, most first.
pub fn pods(findings: &Findings<'_>) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for failure in findings.failures {
        *counts.entry(failure.pod.as_deref().unwrap_or("an unknown pod")).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(pod, n)| (std::cmp::Reverse(*n), *pod));
    let words: Vec<String> = counts.into_iter().map(|(pod, n)| format!("{pod} ({n})")).collect();
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
