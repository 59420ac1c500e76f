//! The answers of several runs as one page, with a link to the page of each run.

use askama::Template;

use super::filters;
use crate::report::figure::us;
use crate::report::schema::{Answers, Report};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'r> {
    tool: String,
    kubernetes: Option<&'r str>,
    runs: Vec<RunRow>,
    steps: &'r [Answers],
}

struct RunRow {
    name: String,
    link: String,
    complete: bool,
    began: String,
    sent: u64,
    failed: u64,
    causes: String,
    p50: String,
    p99: String,
}

/// Renders the page. Each run comes with the address of its own page, relative to this one.
pub fn overview(steps: &[Answers], runs: &[(String, &Report)]) -> Result<String, askama::Error> {
    let kubernetes = runs.iter().find_map(|(_, report)| report.environment.kubernetes.as_deref());
    let tool = format!("podwitness {}", env!("CARGO_PKG_VERSION"));
    Overview { tool, kubernetes, runs: runs.iter().map(|(link, report)| row(link, report)).collect(), steps }.render()
}

fn row(link: &str, report: &Report) -> RunRow {
    let causes: Vec<String> =
        report.ledger.by_cause.iter().map(|(cause, n)| format!("{} × {n}", cause.name())).collect();
    let latency = report.latency.from_due.as_ref();
    RunRow {
        name: link.strip_suffix("/report.html").unwrap_or(&report.experiment).trim_start_matches("../").to_owned(),
        link: link.to_owned(),
        complete: report.run.complete,
        began: report.run.started_at.clone(),
        sent: report.ledger.sent,
        failed: report.ledger.failed,
        causes: causes.join(", "),
        p50: us(latency.map(|latency| latency.p50_us)),
        p99: us(latency.map(|latency| latency.p99_us)),
    }
}
