//! The parts that are sentences.

use std::collections::HashSet;

use super::style::{Style, escape};
use crate::report::schema::{NodeSeen, Report, Source};

pub fn heading(report: &Report, style: Style) -> String {
    let run = &report.run;
    let seconds = (run.ended_ns.saturating_sub(run.started_ns)) as f64 / 1e9;
    let state = if run.complete { "complete" } else { "NOT COMPLETE" };
    style.title(&format!(
        "{}  {}  run {}  {}  {seconds:.1} s, ended by {}, {state}",
        escape(&report.tool),
        escape(&report.experiment),
        escape(&run.id),
        run.started_at,
        run.ended_by,
    ))
}

/// The conditions of --fail-if, each with what was measured.
pub fn thresholds(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for threshold in &report.thresholds {
        let word = if threshold.failed { style.bad("FAIL") } else { style.good("PASS") };
        let value = match (threshold.value, threshold.unit.as_str()) {
            (None, _) => "not measured, which counts as failed".to_owned(),
            (Some(value), "us") => format!("{:.2} ms", value / 1_000.0),
            (Some(value), "ratio") => format!("{:.3} %", value * 100.0),
            (Some(value), _) => value.to_string(),
        };
        out +=
            &style.paragraph("", &format!("{word}  --fail-if '{}'  measured: {value}", escape(&threshold.condition)));
    }
    out
}

pub fn answers(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // One run answers several questions, but its advice is the same.
    let mut given = HashSet::new();
    for verdict in &report.verdicts {
        let source = match verdict.source {
            Source::Measured => "",
            Source::Computed => " (computed)",
            Source::Documented => " (from the documentation)",
        };
        let claim = verdict.claim.as_deref().unwrap_or("this run does not answer it");
        out.push_str(&style.paragraph(&format!("{:<6} ", verdict.question), &escape(&format!("{claim}{source}"))));
        for advice in verdict.advice.iter().filter(|advice| given.insert(advice.as_str())) {
            out.push_str(&style.paragraph("       → ", &escape(advice)));
        }
        for missing in &verdict.not_measured {
            out.push_str(&style.paragraph("       not measured: ", &escape(missing)));
        }
    }
    out
}

pub fn ledger(report: &Report, style: Style) -> String {
    let ledger = &report.ledger;
    let failed = format!("{} failed", ledger.failed);
    let failed = if ledger.failed == 0 { style.good(&failed) } else { style.bad(&failed) };
    let statuses: Vec<String> = ledger.by_status.iter().map(|(status, n)| format!("{status} × {n}")).collect();
    let sum = format!(
        "{} sent = {} succeeded + {failed} + {} unaccounted   [{}]",
        ledger.sent,
        ledger.succeeded,
        ledger.unaccounted,
        statuses.join(", ")
    );
    style.title("Ledger") + &style.paragraph("  ", &sum)
}

pub fn completeness(report: &Report, style: Style) -> String {
    let seen = &report.completeness;
    let number = |value: Option<u64>| value.map_or_else(|| "not measured".to_owned(), |value| value.to_string());
    let mut out = style.title("Completeness and cost");
    let mut line = |text: String| out.push_str(&style.paragraph("  ", &text));
    line(format!(
        "seen at the gateway {} and at a pod {} of {} requests; events lost {}, records lost {}, joins that disagree {}, attempts without a request {}",
        number(seen.requests_seen_at_gateway),
        number(seen.requests_seen_at_pod),
        report.ledger.sent,
        number(seen.events_dropped),
        number(seen.records_dropped),
        number(seen.join_conflicts),
        number(seen.attempts_unjoined),
    ));
    for node in &seen.nodes {
        line(of_node(node));
    }
    if let Some(agreement) = seen.pod_agreement {
        line(format!("pod by observer = pod by answer: {} of {}", agreement.agreed, agreement.compared));
    }
    if !seen.failures_joined_by.is_empty() {
        let ways: Vec<String> = seen.failures_joined_by.iter().map(|(way, n)| format!("{way} {n}")).collect();
        line(format!("failures joined by: {}", ways.join(", ")));
    }
    match &report.observer_cost {
        None => line("observer cost: not measured".to_owned()),
        Some(cost) => {
            let bpf = cost.bpf_ns_per_request.map_or_else(
                || "time in the kernel not measured (kernel.bpf_stats_enabled is 0)".to_owned(),
                |ns| format!("{:.1} µs in the kernel for each request", ns / 1_000.0),
            );
            let rss_mib = cost.rss_bytes as f64 / 1_048_576.0;
            line(format!("observer cost: {:.3} cores, {rss_mib:.1} MiB, {bpf}", cost.cpu_ratio));
        }
    }
    out
}

/// "node a: 1 gateway and 2 serving pods, 1200 records, clock +1.250 ms ± 0.080 ms".
fn of_node(node: &NodeSeen) -> String {
    let name = escape(&node.name);
    let pods = format!("node {name}: {} gateway and {} serving pods", node.gateway_pods, node.upstream_pods);
    if !node.observer {
        return format!("{pods}, no observer");
    }
    let records = node.records.map_or_else(|| "records not whole".to_owned(), |records| format!("{records} records"));
    let clock = match (node.clock_offset_ns, node.clock_error_bound_ns, node.same_machine) {
        (_, _, Some(true)) => "clock is ours (one machine)".to_owned(),
        (Some(offset), Some(bound), _) => {
            format!("clock {:+.3} ms ± {:.3} ms against ours", offset as f64 / 1e6, bound as f64 / 1e6)
        }
        _ => "clock not measured".to_owned(),
    };
    format!("{pods}, {records}, {clock}")
}

pub fn warnings(report: &Report, style: Style) -> String {
    if report.warnings.is_empty() {
        return String::new();
    }
    let mut out = style.title("Warnings");
    for warning in &report.warnings {
        out.push_str(&style.paragraph("  ! ", &escape(warning)));
    }
    out
}
