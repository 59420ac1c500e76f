//! One run, from looking at the cluster to the last raw file: the same for every experiment.

mod look;
mod perform;
mod record;
mod source;
mod under_load;

pub use look::source_ports;
pub use source::Sent;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Files;
use super::{Experiment, ExperimentError, Narrator, Setup};
use crate::cluster::connect::ConnectError;
use crate::cluster::gateway::GatewayError;
use crate::cluster::job::JobError;
use crate::cluster::observer::ObserverError;
use crate::cluster::restore::JournalError;
use crate::load::schedule::ScheduleError;
use crate::load::{LoadError, Plan, Reason, Stop};
use crate::raw::EndedBy;
use crate::raw::write::WriteError;

/// A run that has its raw files.
#[derive(Debug)]
pub struct Ran {
    /// Its directory.
    pub dir: PathBuf,
    /// What ended it.
    pub ended_by: EndedBy,
    /// The error that ended it.
    pub error: Option<String>,
}

/// A run that has none.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The schedule is none.
    #[error("{0}")]
    Schedule(#[from] ScheduleError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The look before found errors. They have been told.
    #[error("{}", to_fix(*.0))]
    Preflight(usize),
    /// No gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// No agent.
    #[error(transparent)]
    Observer(#[from] ObserverError),
    /// No journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The experiment could not be prepared.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// No load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No load from inside the cluster.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Ctrl-C before anything was sent.
    #[error("interrupted before the first request")]
    Interrupted,
}

fn to_fix(errors: usize) -> String {
    match errors {
        1 => "this must be fixed first".to_owned(),
        more => format!("these {more} things must be fixed first"),
    }
}

/// Runs an experiment. Whatever happens, the cluster is put back and what was measured is kept.
pub async fn run(
    experiment: &dyn Experiment,
    setup: &Setup,
    narrator: Arc<dyn Narrator>,
    stop: &Stop,
) -> Result<Ran, RunError> {
    let length_s = experiment.at_most().map_or(setup.schedule.duration_s(), |most| most.as_secs_f64());
    let plan = Plan::new(&setup.schedule.for_length(length_s))?;
    let files = Files::create(&setup.out, stop)?;
    let ready = tokio::select! {
        ready = Box::pin(look::look(experiment, setup, &*narrator)) => ready,
        _ = stop.aborted() => Err(stopped(stop)),
    };
    match ready {
        Ok(ready) => Box::pin(perform::perform(experiment, setup, narrator, stop, plan, files, ready)).await,
        Err(error) => {
            files.discard().await;
            Err(error)
        }
    }
}

fn stopped(stop: &Stop) -> RunError {
    match stop.reason() {
        Some(Reason::Error(error)) => {
            RunError::Write(WriteError::new(Path::new("the raw files"), std::io::Error::other(error)))
        }
        _ => RunError::Interrupted,
    }
}
