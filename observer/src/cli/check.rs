//! `observer check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::table::table;
use super::{FAILED, Output};
use crate::agent::run::cgroup;
use crate::check::{self, Finding};

/// Options of `observer check`.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Directory of the cgroup2 hierarchy that the agent would attach at. Default: the mount that shows the node's pods, or this node's part of it.
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// Do not ask the API server.
    #[arg(long)]
    no_kubernetes: bool,
}

/// Prints every finding. Fails when something required is missing.
pub async fn run(options: CheckOptions) -> Result<ExitCode> {
    let cgroup = cgroup(options.cgroup.as_deref());
    let findings = check::all(cgroup.as_deref(), !options.no_kubernetes).await;
    match options.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&findings)?),
        Output::Table => println!("{}", render(&findings)),
    }
    let missing = findings.iter().filter(|finding| finding.required && !finding.ok).count();
    if missing == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{missing} of the required things are missing: the agent cannot run here");
    Ok(ExitCode::from(FAILED))
}

/// The findings as a table.
pub fn render(findings: &[Finding]) -> String {
    let mut out = table(&["CHECK", "VERDICT", "FOUND", "LOST WITHOUT IT", "FIX"]);
    for finding in findings {
        let verdict = match (finding.ok, finding.required) {
            (true, _) => "ok",
            (false, true) => "MISSING",
            (false, false) => "degraded",
        };
        let (lost, fix) =
            if finding.ok { ("", "") } else { (finding.lost_without.as_str(), finding.fix.as_deref().unwrap_or("")) };
        out.add_row([finding.name.as_str(), verdict, &finding.detail, lost, fix]);
    }
    out.to_string()
}
