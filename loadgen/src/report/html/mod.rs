//! The report as one HTML file: no script, no network, readable in light and dark and on paper, a table beside each chart.

mod balance;
mod chain;
mod filters;
mod format;
mod life;
mod overview;
mod ranges;
mod scale;

use std::collections::HashSet;

use askama::Template;

use super::Hook;
use super::figure::us;
use super::schema::{Cause, Failure, Report, SlowRequest, Verdict};
use chain::ChainChart;
use life::LifeChart;
pub use overview::overview;
use ranges::RangeChart;

/// Failures that are shown with their evidence; all are in `report.json`.
const FAILURES_SHOWN: usize = 300;

/// Entries of the time line that are shown; all are in `report.json`.
const TIMELINE_SHOWN: usize = 400;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'r> {
    report: &'r Report,
    hook: String,
    seconds: String,
    verdicts: Vec<VerdictView<'r>>,
    cause_rows: Vec<CauseRow>,
    life: LifeChart,
    chains: Vec<ChainChart<'r>>,
    hops: RangeChart,
    pods: RangeChart,
    tables: Vec<balance::PlainTable>,
    failures: &'r [Failure],
    failures_left_out: usize,
    slow: Vec<SlowRow<'r>>,
    memory: String,
    timeline_left_out: usize,
}

/// A slow success, and how long it took.
struct SlowRow<'r> {
    slow: &'r SlowRequest,
    took: String,
}

/// A verdict, without advice that an earlier one has given.
struct VerdictView<'r> {
    verdict: &'r Verdict,
    advice: Vec<&'r str>,
}

fn verdicts(report: &Report) -> Vec<VerdictView<'_>> {
    let mut given = HashSet::new();
    let views = report.verdicts.iter().map(|verdict| {
        let new = verdict.advice.iter().map(String::as_str).filter(|advice| given.insert(*advice));
        VerdictView { verdict, advice: new.collect() }
    });
    views.collect()
}

struct CauseRow {
    name: &'static str,
    words: &'static str,
    count: u64,
    percent: String,
}

/// Renders the page.
pub fn html(report: &Report) -> Result<String, askama::Error> {
    let shown = report.failures.len().min(FAILURES_SHOWN);
    let page = Page {
        report,
        hook: Hook::of(&report.config, &report.environment).map_or("not known".to_owned(), |hook| hook.to_string()),
        seconds: format!("{:.1}", report.run.ended_ns.saturating_sub(report.run.started_ns) as f64 / 1e9),
        verdicts: verdicts(report),
        cause_rows: report.ledger.by_cause.iter().map(|(cause, count)| cause_row(report, *cause, *count)).collect(),
        life: LifeChart::new(report),
        chains: report.deletions.iter().map(|deletion| ChainChart::new(report, deletion)).collect(),
        hops: RangeChart::hops(report),
        pods: RangeChart::pods(report),
        tables: balance::tables(report),
        failures: &report.failures[..shown],
        failures_left_out: report.failures.len() - shown,
        slow: report.slow.iter().map(|slow| SlowRow { slow, took: us(Some(slow.latency_us)) }).collect(),
        memory: report.observer_cost.as_ref().map_or(String::new(), |cost| format!("{} MiB", cost.rss_bytes >> 20)),
        timeline_left_out: report.timeline.len().saturating_sub(TIMELINE_SHOWN),
    };
    page.render()
}

impl Page<'_> {
    fn timeline(&self) -> impl Iterator<Item = TimelineRow<'_>> {
        self.report.timeline.iter().take(TIMELINE_SHOWN).map(|item| TimelineRow {
            after: format!("{:+.3} s", item.after_start_ms / 1_000.0),
            kind: &item.kind,
            count: item.fields.get("count").filter(|count| *count != "1").map_or(String::new(), |n| format!(" × {n}")),
            object: &item.object,
            what: &item.what,
            source: &item.source,
        })
    }
}

struct TimelineRow<'r> {
    after: String,
    kind: &'r str,
    count: String,
    object: &'r str,
    what: &'r str,
    source: &'r str,
}

fn cause_row(report: &Report, cause: Cause, count: u64) -> CauseRow {
    let percent = count as f64 * 100.0 / report.ledger.sent.max(1) as f64;
    CauseRow { name: cause.name(), words: cause.in_words(), count, percent: format!("{percent:.2} %") }
}
