//! From raw files to results.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use tracing::debug;

use super::args::ShowArgs;
use super::exit::{Failure, INTERRUPTED, THRESHOLD, TOOL};
use super::output;
use crate::correlate::{SLOWEST, correlate_explaining};
use crate::experiment::Ran;
use crate::raw::EndedBy;
use crate::raw::read::read_run;
use crate::raw::write::{write_json, write_text};
use crate::report::html::html;
use crate::report::schema::Report;
use crate::report::summary;
use crate::report::threshold::Condition;

/// Examples of `report`.
pub const HELP: &str = "Examples:
  loadgen rollout --out rollout-1
  loadgen report rollout-1
  loadgen report rollout-1 --slowest 50 -o json
  loadgen report rollout-1 --fail-if 'failed>0'

A run without --out is in podwitness-results, under its experiment's name and its time.";

/// `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Directory of the run.
    pub dir: PathBuf,
    /// Explain so many of the slowest successes.
    #[arg(long, value_name = "N", default_value_t = SLOWEST)]
    pub slowest: usize,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// `loadgen report DIR`.
pub fn report(args: &ReportArgs) -> Result<u8, Failure> {
    let report = make(&args.dir, &args.show, args.slowest)?;
    Ok(verdict(&report))
}

/// After a run: its report, and the exit code that follows from both.
pub fn after(ran: &Ran, show: &ShowArgs) -> Result<u8, Failure> {
    let report = make(&ran.dir, show, SLOWEST);
    exit_code(ran, report)
}

/// The same without writing to stdout: the report, and the exit code.
pub fn quietly(ran: &Ran, show: &ShowArgs) -> Result<(Report, u8), Failure> {
    let report = write(ran, &show.fail_if)?;
    let code = exit_code(ran, Ok(report.clone()))?;
    Ok((report, code))
}

fn exit_code(ran: &Ran, report: Result<Report, Failure>) -> Result<u8, Failure> {
    if let Some(error) = &ran.error {
        // The report of a run that failed is a by-product; the failure is the result.
        return Err(Failure::tool(format!("{error}\n  what was measured is kept in {}", ran.dir.display())));
    }
    let report = report?;
    eprintln!("· report: {}", ran.dir.join("report.html").display());
    Ok(match ran.ended_by {
        EndedBy::Interrupt => INTERRUPTED,
        EndedBy::Error => TOOL,
        EndedBy::Schedule => verdict(&report),
    })
}

fn make(dir: &Path, show: &ShowArgs, slowest: usize) -> Result<Report, Failure> {
    let report = write_to(dir, &show.fail_if, slowest)?;
    output::print(&report, show.output)?;
    Ok(report)
}

/// Makes a run's report and prints nothing.
pub fn write(ran: &Ran, fail_if: &[Condition]) -> Result<Report, Failure> {
    write_to(&ran.dir, fail_if, SLOWEST)
}

fn write_to(dir: &Path, fail_if: &[Condition], slowest: usize) -> Result<Report, Failure> {
    let start = Instant::now();
    let raw = read_run(dir).map_err(Failure::tool)?;
    let (read, start) = (start.elapsed(), Instant::now());
    let report = judge(correlate_explaining(&raw, slowest), fail_if);
    let (correlated, start) = (start.elapsed(), Instant::now());
    write_json(&dir.join("report.json"), &report).map_err(Failure::tool)?;
    write_text(&dir.join("report.html"), &html(&report).map_err(Failure::tool)?).map_err(Failure::tool)?;
    let written = start.elapsed();
    debug!(requests = raw.client.len(), records = raw.records.len(), ?read, ?correlated, ?written, "report made");
    Ok(report)
}

/// Adds the conditions.
pub fn judge(mut report: Report, fail_if: &[Condition]) -> Report {
    report.thresholds = fail_if.iter().map(|condition| condition.evaluate(&report)).collect();
    report
}

/// The conditions alone, for a terminal.
pub fn thresholds(report: &Report) -> String {
    summary::thresholds(report, output::style())
}

/// 99 when a condition held.
pub fn verdict(report: &Report) -> u8 {
    if report.thresholds.iter().any(|threshold| threshold.failed) { THRESHOLD } else { 0 }
}
