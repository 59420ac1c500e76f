//! From raw files to results.

use std::path::Path;

use super::args::{ReportArgs, ShowArgs};
use super::exit::{Failure, INTERRUPTED, THRESHOLD, TOOL};
use super::output;
use crate::correlate::correlate;
use crate::experiment::Ran;
use crate::raw::EndedBy;
use crate::raw::read::read_run;
use crate::raw::write::{write_json, write_text};
use crate::report::html::html;
use crate::report::schema::Report;

/// `loadgen report DIR`.
pub fn report(args: &ReportArgs) -> Result<u8, Failure> {
    let report = make(&args.dir, &args.show)?;
    Ok(verdict(&report))
}

/// After a run: its report, and the exit code that follows from both.
pub fn after(ran: &Ran, show: &ShowArgs) -> Result<u8, Failure> {
    let report = make(&ran.dir, show);
    judge(ran, report)
}

/// The same without writing to stdout: the report, and the exit code.
pub fn quietly(ran: &Ran, show: &ShowArgs) -> Result<(Report, u8), Failure> {
    let report = write(&ran.dir, show)?;
    let code = judge(ran, Ok(report.clone()))?;
    Ok((report, code))
}

fn judge(ran: &Ran, report: Result<Report, Failure>) -> Result<u8, Failure> {
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

fn make(dir: &Path, show: &ShowArgs) -> Result<Report, Failure> {
    let report = write(dir, show)?;
    output::print(&report, show.output)?;
    Ok(report)
}

fn write(dir: &Path, show: &ShowArgs) -> Result<Report, Failure> {
    let raw = read_run(dir).map_err(Failure::tool)?;
    let mut report = correlate(&raw);
    report.thresholds = show.fail_if.iter().map(|condition| condition.evaluate(&report)).collect();
    write_json(&dir.join("report.json"), &report).map_err(Failure::tool)?;
    write_text(&dir.join("report.html"), &html(&report).map_err(Failure::tool)?).map_err(Failure::tool)?;
    Ok(report)
}

fn verdict(report: &Report) -> u8 {
    if report.thresholds.iter().any(|threshold| threshold.failed) { THRESHOLD } else { 0 }
}
