//! What the user asked for, checked.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use crate::cluster::Target;
use crate::load::client::ClientSettings;
use crate::raw::Schedule;

/// Everything an experiment's run needs to know.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The lab's objects.
    pub target: Target,
    /// kubeconfig context. `None`: the current one.
    pub context: Option<String>,
    /// The gateway. `None`: found through its Service's node port.
    pub url: Option<Url>,
    /// Path to ask for, where `url` is not given.
    pub path: String,
    /// How long to wait for the gateway's first good answer.
    pub patience: Duration,
    /// When to send.
    pub schedule: Schedule,
    /// Most requests in flight at each sender. `None`: derived from the rate.
    pub workers: Option<u32>,
    /// A client's timeouts and connections.
    pub client: ClientSettings,
    /// Use the agents.
    pub observer: bool,
    /// Put changes back.
    pub restore: bool,
    /// Wait until NAT entries of an earlier run have ended.
    pub wait_nat: bool,
    /// Directory of the run.
    pub out: PathBuf,
    /// Send from inside the cluster. `None`: from here.
    pub job: Option<JobSetup>,
    /// The command line.
    pub command: Vec<String>,
}

/// A load from inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSetup {
    /// How many senders.
    pub shards: u32,
    /// Image of the load generator.
    pub image: String,
}

impl Setup {
    /// Workers of each sender: as many as requests can be due within one second, within reason. Failures that take long (a gateway's
    /// timeout of ten seconds for a tenth of all requests) fill these; more of that shows as starved requests.
    pub fn workers(&self) -> u32 {
        let senders = self.job.as_ref().map_or(1.0, |job| f64::from(job.shards.max(1)));
        let of_each = self.schedule.peak_per_s() / senders;
        self.workers.unwrap_or_else(|| (of_each.ceil() as u32).clamp(32, 1024))
    }
}

impl Schedule {
    /// The same rate for another time.
    #[must_use]
    pub fn for_length(&self, length_s: f64) -> Self {
        let mut other = self.clone();
        match &mut other {
            Self::Constant { duration_s, .. } | Self::Poisson { duration_s, .. } | Self::Ramp { duration_s, .. } => {
                *duration_s = length_s;
            }
            Self::Steps { .. } => {}
        }
        other
    }
}
