//! The parts that only updates have: a Deployment's history, and a canary beside the stable version.

use super::style::{Style, escape, lines};
use crate::report::schema::{Latency, Report, RevisionReport, VersionReport};

pub fn revisions(report: &Report, style: Style) -> String {
    // Of a run that updates nothing the history says nothing.
    let changed: Vec<&RevisionReport> =
        report.revisions.iter().filter(|revision| revision.revision_at_start != revision.revision_at_end).collect();
    if changed.is_empty() {
        return String::new();
    }
    let mut table = style.table(&["deployment", "revision", "pods", "image", "change-cause"]);
    let of_changed = report.revisions.iter().filter(|r| changed.iter().any(|other| other.deployment == r.deployment));
    for revision in of_changed {
        let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let from_to = |from: String, to: String| if from == to { to } else { format!("{from} → {to}") };
        table.add_row([
            escape(&revision.deployment),
            from_to(number(revision.revision_at_start), number(revision.revision_at_end)),
            from_to(revision.desired_at_start_count.to_string(), revision.desired_at_end_count.to_string()),
            escape(revision.image.as_deref().unwrap_or("–")),
            escape(revision.change_cause.as_deref().unwrap_or("–")),
        ]);
    }
    style.title("Revision history (before → after)") + &lines(&table)
}

pub fn canary(report: &Report, style: Style) -> String {
    let Some(canary) = &report.canary else { return String::new() };
    let mut table =
        style.table(&["version", "pods", "conns", "requests", "failed", "95 % interval", "p50", "p99", "in pod p50"]);
    for (name, version) in [("stable", &canary.stable), ("canary", &canary.canary)] {
        table.add_row(row(name, version));
    }
    style.title("Versions") + &lines(&table)
}

fn row(name: &str, version: &VersionReport) -> Vec<String> {
    let percent = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0));
    let ms = |latency: Option<&Latency>, pick: fn(&Latency) -> u64| {
        latency.map_or_else(|| "–".to_owned(), |latency| format!("{:.2} ms", pick(latency) as f64 / 1e3))
    };
    let label = version.version.as_deref().map_or_else(String::new, |version| format!(" {}", escape(version)));
    vec![
        format!("{name}{label}: {}", escape(&version.deployment)),
        version.ready_pods_count.to_string(),
        version.connections_count.map_or_else(|| "–".to_owned(), |count| count.to_string()),
        version.requests_count.to_string(),
        version.failed_count.to_string(),
        format!("{} … {}", percent(version.failed_low_ratio), percent(version.failed_high_ratio)),
        ms(version.latency_us.as_ref(), |latency| latency.p50_us),
        ms(version.latency_us.as_ref(), |latency| latency.p99_us),
        ms(version.service_time_us.as_ref(), |latency| latency.p50_us),
    ]
}
