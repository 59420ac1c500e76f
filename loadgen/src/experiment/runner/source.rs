//! Where the load comes from: this process, or the pods of a Job.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::cluster::job::{JobError, Shards};
use crate::load::recorder::RecordSender;
use crate::load::tickets::Tickets;
use crate::load::{Counters, Load, LoadError, Stop};
use crate::raw::{GooseCheck, Lag, ShardFile};

/// A load that is ready to run.
pub enum Source {
    /// This process sends.
    Here(Box<Load>),
    /// The pods of a Job send.
    Job(Box<Shards>),
}

/// What was sent.
#[derive(Debug)]
pub struct Sent {
    /// Requests handed to an HTTP client.
    pub sent: u64,
    /// Ticket 0 was due. `None`: the run was stopped before that.
    pub started_ns: Option<u64>,
    /// The last request had ended.
    pub ended_ns: u64,
    /// goose's counts. `None`: some of them are not known.
    pub goose: Option<GooseCheck>,
    /// The pods that sent; empty when this process did.
    pub shards: Vec<ShardFile>,
    /// When they did not run. `None`: this process sent, and watches itself.
    pub lags: Option<Vec<Lag>>,
}

/// A load failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Here.
    #[error(transparent)]
    Here(#[from] LoadError),
    /// In the cluster.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// Tells when the first ticket is due.
#[derive(Clone)]
pub enum Start {
    /// Its workers here are ready.
    Tickets(Arc<Tickets>),
    /// The shards have been told.
    Told(Arc<watch::Sender<Option<u64>>>),
}

impl Start {
    /// Waits until it is known.
    pub async fn known(&self) -> u64 {
        match self {
            Self::Tickets(tickets) => tickets.started().await,
            Self::Told(told) => {
                let mut receiver = told.subscribe();
                // The sender lives in `self`, so the channel cannot close while this waits.
                let start = receiver.wait_for(Option::is_some).await.ok().and_then(|start| *start);
                start.unwrap_or_default()
            }
        }
    }
}

impl Source {
    /// When it starts, and how long its schedule is.
    pub fn timing(&self) -> (Start, Duration) {
        match self {
            Self::Here(load) => (Start::Tickets(Arc::clone(&load.tickets)), load.tickets.length()),
            Self::Job(shards) => (Start::Told(shards.first_due()), shards.length()),
        }
    }

    /// Sends all of it.
    pub async fn run(self, counters: Arc<Counters>, records: RecordSender, stop: Stop) -> Result<Sent, SourceError> {
        match self {
            Self::Here(load) => {
                let outcome = load.run(counters, records, stop).await?;
                Ok(Sent {
                    sent: outcome.sent,
                    started_ns: outcome.started_ns,
                    ended_ns: outcome.ended_ns,
                    goose: outcome.started_ns.map(|_| outcome.goose),
                    shards: Vec::new(),
                    lags: None,
                })
            }
            Self::Job(shards) => Ok(Box::pin(shards.run(counters, records, stop)).await?),
        }
    }
}
