//! What the core is told, and what it is asked.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::hops::Hops;
use crate::api::{Problem, RecordsEnd, Run, RunRequest, Status};
use crate::pods::pressure::Fared;
use crate::pods::throttling::Stopped;
use crate::pods::watch;
use crate::runs::{Lines, Refused};

/// Everything that reaches the core besides the kernel's events.
#[derive(Debug)]
pub enum Input {
    /// From the watches.
    Watch(watch::Report),
    /// The cgroup tree was read, beginning at.
    Cgroups(HashMap<u64, Arc<str>>, u64),
    /// CPU limits have stopped pods.
    Stopped(Vec<Stopped>),
    /// Pods had work and no CPU.
    Fared(Vec<Fared>),
    /// A question or an order.
    Command(Command),
}

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<T>;

/// What `/metrics` is made of.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The status, without its histograms.
    pub status: Status,
    /// The histograms.
    pub hops: Hops,
}

/// A question or an order.
#[derive(Debug)]
pub enum Command {
    /// Is something wrong with the agent?
    Health(Reply<Option<String>>),
    /// How is the agent?
    Status(Reply<Status>),
    /// What shall be measured of it?
    Snapshot(Reply<Box<Snapshot>>),
    /// Open a run.
    OpenRun(RunRequest, Reply<Result<Run, Refused>>),
    /// Show a run.
    GetRun(String, Reply<Option<Run>>),
    /// Close a run, once everything seen so far has been joined. Closing a closed run shows it.
    CloseRun(String, Reply<Option<Run>>),
    /// Forget a run.
    DeleteRun(String, Reply<bool>),
    /// Records of a run.
    Records(String, Reply<Option<(Lines, RecordsEnd)>>),
    /// Watch this port for the canary; answers when it is watched.
    CanaryPort(u16, Reply<Result<(), Problem>>),
    /// Has the canary's exchange been seen? Answers when it has.
    CanarySeen(Reply<()>),
    /// The canary is over.
    CanaryDone {
        /// It was seen.
        seen: bool,
    },
    /// End.
    Stop,
}
