//! A comparison as text for a terminal.

mod condition;

pub use condition::Condition;

use super::schema::{Comparison, DifferenceKind, Judgement, LatencyChange, QuantileChange};
use super::summary::{Style, escape, lines};

/// Writes it.
pub fn text(comparison: &Comparison, style: Style) -> String {
    let mut out = style.title(&format!("{}: {}", verdict(comparison.verdict), comparability(comparison)));
    for (name, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        let runs: Vec<&str> = side.runs.iter().map(|run| run.run_id.as_str()).collect();
        out += &style.paragraph(&format!("  {name}  "), &escape(&format!("{}; run {}", side.label, runs.join(", "))));
    }
    out.push('\n');
    for threshold in &comparison.thresholds {
        let word = if threshold.failed { style.bad("FAIL") } else { style.good("PASS") };
        let value = match (threshold.value, threshold.unit.as_str()) {
            (None, _) => "not measured, which counts as failed".to_owned(),
            (Some(value), "us") => format!("{:.3} ms", value / 1_000.0),
            (Some(value), "ratio") => format!("{:.3} %", value * 100.0),
            (Some(value), _) => value.to_string(),
        };
        out +=
            &style.paragraph("", &format!("{word}  --fail-if '{}'  measured: {value}", escape(&threshold.condition)));
    }
    for finding in &comparison.findings {
        out += &style.paragraph("", finding);
    }
    for section in [differences(comparison, style), causes(comparison, style), latency(comparison, style)] {
        if !section.is_empty() {
            out.push('\n');
            out += &section;
        }
    }
    if !comparison.notes.is_empty() {
        out.push('\n');
    }
    for note in &comparison.notes {
        out += &style.paragraph("  ! ", note);
    }
    out
}

fn verdict(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Better => "B is better",
        Judgement::Worse => "B is worse",
        Judgement::Mixed => "B is better in one way and worse in another",
        Judgement::Same => "no significant difference",
        Judgement::Undecided => "too little data to tell",
    }
}

fn comparability(comparison: &Comparison) -> &'static str {
    let any = |kind| comparison.differences.iter().any(|difference| difference.kind == kind);
    match comparison.comparable {
        true if comparison.differences.is_empty() => "two runs of one kind",
        true => "comparable",
        false if any(DifferenceKind::Load) || any(DifferenceKind::Place) => "NOT COMPARABLE",
        false => "comparable with reservations",
    }
}

fn judged(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Better => "better",
        Judgement::Worse => "worse",
        Judgement::Mixed => "mixed",
        Judgement::Same => "same",
        Judgement::Undecided => "too little data",
    }
}

fn differences(comparison: &Comparison, style: Style) -> String {
    if comparison.differences.is_empty() {
        return String::new();
    }
    let mut table = style.table(&["what is different", "A", "B", "which is"]);
    for difference in &comparison.differences {
        let kind = match difference.kind {
            DifferenceKind::Factor => "what may be tested",
            DifferenceKind::Load => "another load",
            DifferenceKind::Place => "another place",
            DifferenceKind::Quality => "a flaw",
        };
        table.add_row([escape(&difference.what), escape(&difference.a), escape(&difference.b), kind.to_owned()]);
    }
    lines(&table)
}

fn causes(comparison: &Comparison, style: Style) -> String {
    if comparison.causes.is_empty() {
        return String::new();
    }
    let mut table = style.table(&["failures by cause", "A", "B", "p (Holm)", "B is"]);
    for change in &comparison.causes {
        table.add_row([
            change.cause.name().to_owned(),
            change.a_count.to_string(),
            change.b_count.to_string(),
            change
                .p_adjusted
                .map_or_else(|| "–".to_owned(), |p| if p < 0.0001 { format!("{p:.0e}") } else { format!("{p:.4}") }),
            judged(change.judgement).to_owned(),
        ]);
    }
    lines(&table)
}

/// Without intervals, for which a terminal is too narrow: those of the whole are in the sentences, all are in the JSON.
fn latency(comparison: &Comparison, style: Style) -> String {
    let header = ["latency in ms", "p50 A", "p50 B", "B is", "p99 A", "p99 B", "B is", "B slower"];
    let mut table = style.table(&header);
    for change in comparison.latency.iter().chain(&comparison.hops) {
        table.add_row(row(change));
    }
    lines(&table)
}

fn row(change: &LatencyChange) -> Vec<String> {
    let figures =
        |quantile: &QuantileChange| [ms(quantile.a_us), ms(quantile.b_us), judged(quantile.judgement).to_owned()];
    let mut row = vec![change.name.clone()];
    row.extend(figures(&change.p50));
    row.extend(figures(&change.p99));
    row.push(change.b_slower_ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.0} %", ratio * 100.0)));
    row
}

fn ms(us: f64) -> String {
    format!("{:.3}", us / 1_000.0)
}
