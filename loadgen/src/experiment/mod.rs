//! Experiments: what is done to the cluster while the load runs. One file each; [`runner`] is the same for all.

pub mod balance;
pub mod canary;
pub mod dual_rollout;
pub mod files;
pub mod hpa;
pub mod job;
pub mod lab;
pub mod last_run;
pub mod narrator;
pub mod pod_delete;
pub mod rollback;
pub mod rollout;
pub mod runner;
pub mod scale;
pub mod setup;
pub mod slow_pod;
pub mod steady;
pub mod with_fix;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
pub use lab::Lab;
pub use narrator::Narrator;
pub use runner::{Ran, RunError, run};
pub use setup::{JobSetup, Setup};

use crate::cluster::Target;
use crate::cluster::act::ActError;
use crate::cluster::preflight::Permission;
use crate::cluster::restore::JournalError;

/// What an experiment does, as a value: the runner is compiled once for all experiments, not once for each.
pub type Doing<'a> = BoxFuture<'a, Result<(), ExperimentError>>;

/// One kind of experiment.
pub trait Experiment: Send + Sync {
    /// Its name: the command's, and the report's.
    fn name(&self) -> &'static str;

    /// Its own settings, for the report.
    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Permissions it needs besides looking.
    fn permissions(&self, _target: &Target) -> Vec<Permission> {
        Vec::new()
    }

    /// It is about the number of pods: autoscalers, Deployments and CPU metrics are watched as well.
    fn watches_scaling(&self) -> bool {
        false
    }

    /// The longest it may take: load is scheduled for that long, and ends earlier when the experiment is done.
    /// `None`: the schedule alone says how long it takes.
    fn at_most(&self) -> Option<Duration> {
        None
    }

    /// Before the first request.
    fn prepare<'a>(&'a self, _lab: &'a Lab) -> Doing<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// While the load runs. The run ends when this does.
    fn drive<'a>(&'a self, _lab: &'a Lab) -> Doing<'a> {
        Box::pin(std::future::pending())
    }
}

/// An experiment's own failure.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// An action failed.
    #[error(transparent)]
    Act(#[from] ActError),
    /// A change could not be written down, so it was not made.
    #[error(transparent)]
    Journal(#[from] JournalError),
}
