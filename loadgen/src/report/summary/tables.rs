//! The parts that are tables.

use std::collections::BTreeMap;

use super::style::{Style, escape, lines, short};
use crate::report::figure::{percent, us};
use crate::report::schema::{Cause, ChainStep, Deletion, Failure, Latency, PodReport, Report};

/// Entries of the time line that are shown; all are in `report.json`.
const TIMELINE_ROWS: usize = 40;
/// Ends of pods that are shown; all are in `report.json`.
const ENDS_ROWS: usize = 30;
/// Slow successes that are shown.
const SLOW_ROWS: usize = 5;

pub fn causes(report: &Report, style: Style) -> String {
    if report.failures.is_empty() {
        return String::new();
    }
    let mut by_cause: BTreeMap<Cause, Vec<&Failure>> = BTreeMap::new();
    for failure in &report.failures {
        by_cause.entry(failure.cause).or_default().push(failure);
    }
    let mut table = style.table(&["cause", "requests", "at the client", "joined by", "after deletion", "pods"]);
    for (cause, failures) in by_cause {
        table.add_row([
            cause.name().to_owned(),
            failures.len().to_string(),
            counted(failures.iter().map(|failure| failure.outcome.as_str())),
            counted(failures.iter().map(|failure| failure.joined_by.map_or("none", |way| way.name()))),
            window(&failures),
            counted(failures.iter().map(|failure| failure.pod.as_deref().unwrap_or("unknown"))),
        ]);
    }
    style.title("Failures by cause") + &lines(&table)
}

/// "a × 3, b × 1", most first.
fn counted<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(value, n)| (std::cmp::Reverse(*n), *value));
    let words: Vec<String> = counts.iter().map(|(value, n)| format!("{} × {n}", short(value))).collect();
    words.join(", ")
}

fn window(failures: &[&Failure]) -> String {
    let after = || failures.iter().filter_map(|failure| failure.after_deletion_ms);
    match (after().reduce(f64::min), after().reduce(f64::max)) {
        (Some(first), Some(last)) => format!("{first:.0} … {last:.0}\u{a0}ms"),
        _ => "–".to_owned(),
    }
}

pub fn pods(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for (role, title) in [("gateway", "Gateway pods"), ("upstream", "Pods behind the gateway")] {
        let pods: Vec<&PodReport> = report.pods.iter().filter(|pod| pod.role == role).collect();
        if !pods.is_empty() {
            out += &(style.title(title) + &pods_of_one_role(&pods, style));
        }
    }
    if let Some(balance) = &report.balance {
        out.push_str(&style.paragraph("  spread: ", &format!("{}: {}", balance.pattern, balance.explanation)));
    }
    out
}

fn pods_of_one_role(pods: &[&PodReport], style: Style) -> String {
    let mut table =
        style.table(&["pod", "version", "requests", "failed", "conns", "share", "p50", "p99", "max", "in pod p50"]);
    let number = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    for pod in pods {
        table.add_row([
            short(&pod.name),
            escape(pod.version.as_deref().or(pod.revision.as_deref()).unwrap_or("–")),
            number(pod.requests),
            number(pod.failed),
            number(pod.connections),
            percent(pod.share_ratio),
            us(pod.latency_us.as_ref().map(|latency| latency.p50_us)),
            us(pod.latency_us.as_ref().map(|latency| latency.p99_us)),
            us(pod.latency_us.as_ref().map(|latency| latency.max_us)),
            us(pod.service_time_us.as_ref().map(|latency| latency.p50_us)),
        ]);
    }
    lines(&table)
}

pub fn ends(report: &Report, style: Style) -> String {
    if report.deletions.is_empty() {
        return String::new();
    }
    let mut table = style.table(&[
        "pod",
        "begins with",
        "terminating",
        "endpoint out",
        "last new conn",
        "refused from",
        "unanswered from",
        "last byte",
        "gone",
        "lost",
    ]);
    for deletion in report.deletions.iter().take(ENDS_ROWS) {
        let after = |step: &str| {
            let found = deletion.chain.iter().find(|found| found.step == step).and_then(|found| found.after_ms);
            found.map_or_else(|| "–".to_owned(), |ms| format!("{ms:+.0}\u{a0}ms"))
        };
        let begins = deletion.chain.iter().find(|step| step.at_ns.is_some()).map_or("–", ChainStep::in_short);
        table.add_row([
            short(&deletion.pod),
            begins.to_owned(),
            after("terminating_seen"),
            after("endpoint_removed"),
            after("last_new_connection"),
            after("listener_gone"),
            after("address_gone"),
            after("last_byte"),
            after("pod_gone"),
            deletion.failed.to_string(),
        ]);
    }
    let mut out = style.title("How pods ended (times since the first sign; – is not measured, or did not happen)");
    out.push_str(&lines(&table));
    if let Some(more) = report.deletions.len().checked_sub(ENDS_ROWS).filter(|more| *more > 0) {
        out.push_str(&style.paragraph("  … ", &format!("and {more} more in report.json")));
    }
    for deletion in report.deletions.iter().filter(|deletion| deletion.failed > 0).take(ENDS_ROWS) {
        out.push_str(&style.paragraph("  lost ", &format!("at {}: {}", short(&deletion.pod), lost_between(deletion))));
    }
    let mut hooks: BTreeMap<&str, u64> = BTreeMap::new();
    for message in report.deletions.iter().filter_map(|deletion| deletion.hook_failed.as_deref()) {
        *hooks.entry(message).or_insert(0) += 1;
    }
    if let Some((message, _)) = hooks.first_key_value() {
        let n: u64 = hooks.values().sum();
        out.push_str(&style.paragraph("  FailedPreStopHook ", &format!("× {n}: {}", escape(message))));
    }
    out
}

/// "3 between listener gone and address gone, 1 after pod gone".
fn lost_between(deletion: &Deletion) -> String {
    let mut steps: Vec<&ChainStep> = deletion.chain.iter().filter(|step| step.at_ns.is_some()).collect();
    steps.sort_by_key(|step| step.at_ns);
    let name = |step: &ChainStep| step.step.replace('_', " ");
    let mut counted = 0;
    let mut parts = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let Some(count) = step.failed_until_next.filter(|count| *count > 0) else { continue };
        counted += count;
        parts.push(match steps.get(position + 1) {
            Some(next) => format!("{count} between {} and {}", name(step), name(next)),
            None => format!("{count} after {}", name(step)),
        });
    }
    if deletion.failed > counted {
        parts.push(format!("{} at an unknown time", deletion.failed - counted));
    }
    parts.join(", ")
}

impl ChainStep {
    fn in_short(&self) -> &'static str {
        match self.step.as_str() {
            "deletion_requested" => "our request",
            "terminating_seen" => "watch",
            _ => "pod gone",
        }
    }
}

pub fn hops(report: &Report, style: Style) -> String {
    let mut table = style.table(&["where the time goes", "p50", "p90", "p99", "p99.9", "max"]);
    let row = |name: &str, latency: Option<&Latency>| {
        let figure = |pick: fn(&Latency) -> u64| us(latency.map(pick));
        [
            name.to_owned(),
            figure(|l| l.p50_us),
            figure(|l| l.p90_us),
            figure(|l| l.p99_us),
            figure(|l| l.p999_us),
            figure(|l| l.max_us),
        ]
    };
    table.add_row(row("total, from due", report.latency.from_due.as_ref()));
    table.add_row(row("total, from sent", report.latency.from_sent.as_ref()));
    for hop in &report.hops {
        let bound = hop.clock_error_bound_ns.map_or(String::new(), |ns| format!(" (± {:.3} ms)", ns as f64 / 1e6));
        table.add_row(row(&format!("  {}{bound}", hop.name), hop.latency.as_ref()));
    }
    style.title("Latency of successes") + &lines(&table)
}

pub fn slow(report: &Report, style: Style) -> String {
    // Only what stands out: an even run has nothing to explain.
    let usual_us = report.latency.from_due.as_ref().map_or(0, |latency| latency.p50_us);
    let slow: Vec<_> = report.slow.iter().filter(|slow| slow.latency_us > 3 * usual_us).take(SLOW_ROWS).collect();
    let heads: Vec<[String; 3]> = slow
        .iter()
        .map(|slow| [format!("#{}", slow.seq), us(Some(slow.latency_us)), slow.cause.name().to_owned()])
        .collect();
    let width = |column: usize| heads.iter().map(|head| head[column].chars().count()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let entries = slow.iter().zip(&heads).map(|(slow, [number, latency, cause])| {
        let name = slow.pod.as_deref().unwrap_or("unknown");
        let head = format!("{number:<first$}  {latency:>second$}  {cause:<third$}  {}\n", short(name));
        // A whole name in the middle of a sentence is wider than it is useful, and the line above has it.
        head + &style.paragraph("    ", &escape(&slow.explanation.replace(name, &short(name))))
    });
    if slow.is_empty() { String::new() } else { style.title("Slowest successes") + &entries.collect::<String>() }
}

pub fn timeline(report: &Report, style: Style) -> String {
    if report.timeline.is_empty() {
        return String::new();
    }
    // States that were there before the run are no changes, and an event of type Normal says in other words what the
    // objects themselves show.
    let in_run = report.timeline.iter().filter(|item| item.after_start_ms >= 0.0 || item.source == "action");
    let (normal, shown): (Vec<_>, Vec<_>) =
        in_run.partition(|item| item.fields.get("type").is_some_and(|kind| kind == "Normal"));
    let mut table = style.table(&["time line", "what", "object", "details"]);
    let mut left_out = 0;
    for (row, item) in shown.into_iter().enumerate() {
        if row >= TIMELINE_ROWS {
            left_out += 1;
            continue;
        }
        let count = item.fields.get("count").filter(|count| *count != "1").map_or(String::new(), |n| format!(" × {n}"));
        table.add_row([
            format!("{:+.3}\u{a0}s", item.after_start_ms / 1_000.0),
            escape(&item.kind) + &count,
            short(&item.object),
            escape(&item.what),
        ]);
    }
    let mut out = lines(&table);
    if left_out > 0 || !normal.is_empty() {
        let more = format!("and {left_out} more, and {} events of type Normal, in report.json", normal.len());
        out += &style.paragraph("  … ", &more);
    }
    out
}
