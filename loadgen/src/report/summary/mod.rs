//! The report as text for a terminal: answers first, then what they stand on.

mod balance;
mod scaling;
mod sections;
mod style;
mod tables;
mod updates;

pub use sections::thresholds;
pub use style::{Style, escape, lines, short};

use super::schema::Report;

/// Writes the whole summary. Nothing of it is needed to read `report.json`.
pub fn summary(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for section in [
        sections::heading(report, style),
        sections::thresholds(report, style),
        sections::answers(report, style),
        sections::ledger(report, style),
        tables::causes(report, style),
        updates::canary(report, style),
        updates::revisions(report, style),
        tables::pods(report, style),
        balance::balance(report, style),
        balance::slow_pod(report, style),
        scaling::scaling(report, style),
        tables::ends(report, style),
        tables::hops(report, style),
        tables::slow(report, style),
        tables::timeline(report, style),
        sections::completeness(report, style),
        sections::warnings(report, style),
    ]
    .into_iter()
    .filter(|section| !section.is_empty())
    {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&section);
    }
    out
}
