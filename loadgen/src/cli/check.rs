//! `--check`: everything that a run needs, looked at before anything is touched.

use std::path::Path;

use super::exit::{Failure, TOOL};
use super::progress::Progress;
use crate::cluster::preflight::{self, Level, Needs};
use crate::cluster::{Cluster, gateway};
use crate::experiment::runner::source_ports;
use crate::experiment::{Experiment, Setup};
use crate::raw::read::raw_dir;

/// Looks, and tells every finding. Exit code 0: the run can begin.
pub async fn check(experiment: &dyn Experiment, setup: &Setup, runs: u32) -> Result<u8, Failure> {
    let cluster = Cluster::connect(setup.context.as_deref()).await.map_err(Failure::tool)?;
    let needs = Needs { permissions: experiment.permissions(&setup.target), observer: setup.observer };
    let mut report = preflight::check(&cluster, &setup.target, &needs).await.report;
    let url = match &setup.url {
        Some(url) => Ok(url.clone()),
        None => gateway::discover(&cluster.client, &setup.target, &setup.path).await,
    };
    match url {
        Err(error) => report.error(error.what, error.fix),
        Ok(url) => match gateway::wait_for_answer(&url, setup.patience).await {
            Ok(()) => report.ok(format!("the gateway answers at {url}")),
            Err(error) => report.error(error.what, error.fix),
        },
    }
    if taken(&setup.out, runs) {
        let what = format!("{} holds a run already", setup.out.display());
        report.error(what, "choose another directory with --out, or remove that one");
    }
    for finding in report.findings.iter().filter(|finding| finding.level != Level::Ok) {
        eprintln!("{finding}");
    }
    // It tells what it finds by itself.
    let ports = source_ports(experiment, setup, &Progress::new(), &mut Vec::new());
    if report.worst() == Level::Error || ports.is_err() {
        return Ok(TOOL);
    }
    eprintln!("· {}: all is there; nothing was touched", experiment.name());
    Ok(0)
}

/// A run is there, or one of the repeats that are to be made.
pub fn taken(out: &Path, runs: u32) -> bool {
    raw_dir(out).exists() || (1..=runs).any(|n| raw_dir(&out.join(n.to_string())).exists())
}
