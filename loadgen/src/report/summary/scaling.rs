//! How the number of pods followed.

use super::style::{Style, escape, lines, short};
use crate::report::schema::{AutoscalerReport, ChainStep, Report, ScaleChange, Scaling};

pub fn scaling(report: &Report, style: Style) -> String {
    let Some(scaling) = &report.scaling else { return String::new() };
    let mut out = String::new();
    for change in &scaling.changes {
        out += &chain(change, style);
    }
    out += &new_pods(scaling, style);
    out += &phases(scaling, style);
    for autoscaler in &scaling.autoscalers {
        out += &agreement(autoscaler, style);
    }
    if let Some(metrics) = &scaling.metrics {
        out += &style.paragraph("  metrics: ", &metrics.profile);
    }
    out
}

fn ms(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(ms) if ms.abs() < 10_000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1e3),
    }
}

fn chain(change: &ScaleChange, style: Style) -> String {
    let title = format!(
        "{} → {} replicas by {} at {:+.1} s{}",
        change.from,
        change.to,
        escape(&change.by),
        change.after_start_ms / 1e3,
        if change.failed > 0 {
            format!(", {} requests lost at the pods that went", change.failed)
        } else {
            String::new()
        }
    );
    let step = |step: &ChainStep| format!("{} {}", step.step, ms(step.after_ms));
    let known: Vec<String> = change.steps.iter().filter(|step| step.at_ns.is_some()).map(step).collect();
    style.title(&title) + &style.paragraph("  ", &known.join(" · "))
}

fn new_pods(scaling: &Scaling, style: Style) -> String {
    if scaling.new_pods.is_empty() {
        return String::new();
    }
    let mut table = style.table(&[
        "new pod",
        "created",
        "scheduled",
        "ready",
        "endpoint",
        "connection",
        "success",
        "requests",
        "share",
        "even share",
    ]);
    let percent = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    for pod in &scaling.new_pods {
        let step = |name: &str| ms(pod.steps.iter().find(|step| step.step == name).and_then(|step| step.after_ms));
        table.add_row([
            short(&pod.pod),
            step("created"),
            step("scheduled"),
            step("ready"),
            step("endpoint_added"),
            step("first_connection"),
            step("first_success"),
            pod.requests.map_or_else(|| "–".to_owned(), |requests| requests.to_string()),
            percent(pod.share_ratio),
            percent(pod.fair_share_ratio),
        ]);
    }
    lines(&table)
}

fn phases(scaling: &Scaling, style: Style) -> String {
    let mut table = style.table(&["stretch", "from", "until", "requests", "failed", "p50", "p99", "max"]);
    for phase in scaling.phases.iter().filter(|phase| phase.requests > 0) {
        let us = |of: Option<u64>| of.map_or_else(|| "–".to_owned(), |us| format!("{:.2} ms", us as f64 / 1e3));
        let latency = phase.latency.as_ref();
        table.add_row([
            phase.name.clone(),
            format!("{:.1} s", phase.from_ms / 1e3),
            format!("{:.1} s", phase.until_ms / 1e3),
            phase.requests.to_string(),
            phase.failed.to_string(),
            us(latency.map(|latency| latency.p50_us)),
            us(latency.map(|latency| latency.p99_us)),
            us(latency.map(|latency| latency.max_us)),
        ]);
    }
    lines(&table)
}

fn agreement(autoscaler: &AutoscalerReport, style: Style) -> String {
    let agreement = autoscaler.agreement;
    let word = if agreement.disagreed > 0 { style.bad("DISAGREE") } else { style.good("agree") };
    let mut out = style.paragraph(
        "  ",
        &format!(
            "{} ({}): formula and controller {word} in {} of {} syncs that left a trace, {} not comparable",
            escape(&autoscaler.name),
            escape(&autoscaler.target),
            agreement.agreed,
            agreement.compared,
            agreement.not_comparable
        ),
    );
    for sync in autoscaler.syncs.iter().filter(|sync| sync.agrees == Some(false)) {
        out += &style
            .paragraph("    ! ", &format!("at {:+.1} s: {}", sync.after_start_ms / 1e3, escape(&sync.explanation)));
    }
    out
}
