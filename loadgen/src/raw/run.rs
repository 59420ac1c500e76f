//! The run itself: what was asked for, where, and how it ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClockOffset;

/// `raw/run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFile {
    /// Format of all raw files: [`super::FORMAT`].
    pub schema_version: u32,
    /// Version of the load generator.
    pub tool_version: String,
    /// `steady`, `pod-delete`, `rollout`, …
    pub experiment: String,
    /// 16 lower-case hex digits.
    pub id: String,
    /// The command line, for the reader.
    pub command: Vec<String>,
    /// Wall-clock anchor: this `CLOCK_REALTIME` (ns since 1970) …
    pub anchor_realtime_ns: u64,
    /// … was this `CLOCK_MONOTONIC`.
    pub anchor_monotonic_ns: u64,
    /// First due time.
    pub started_ns: u64,
    /// All requests had ended.
    pub ended_ns: u64,
    /// What ended it.
    pub ended_by: EndedBy,
    /// What was asked for.
    pub config: RunConfig,
    /// Where it ran.
    pub environment: Environment,
    /// Requests handed out by the schedule. Each has exactly one line in `client.ndjson.gz`, or is counted below.
    pub sent: u64,
    /// Client records that did not fit into the channel: counted, not written.
    pub client_records_dropped: u64,
    /// goose's own counts beside ours.
    pub goose: Option<GooseCheck>,
    /// The pods that sent, when the load came from inside the cluster.
    #[serde(default)]
    pub shards: Vec<ShardFile>,
    /// Things the user should know (e.g. what preflight warned of, what could not be restored).
    pub warnings: Vec<String>,
}

/// One of the pods that a load came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShardFile {
    /// Which part of the schedule: every n-th request from this one on.
    pub index: u32,
    /// Its pod.
    pub pod: String,
    /// Its node.
    pub node: String,
    /// Requests it handed to its HTTP client.
    pub sent: u64,
    /// Records that were fetched from it.
    pub records: u64,
    /// Records it could not write down.
    pub records_dropped: u64,
    /// Offset of its clock, before the load. Its records are on our clock already.
    pub clock: ClockOffset,
    /// The same after it. `None`: not measured again.
    pub clock_after: Option<ClockOffset>,
    /// What went wrong while talking to it.
    pub problems: Vec<String>,
}

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The schedule ran out.
    Schedule,
    /// Ctrl-C or SIGTERM.
    Interrupt,
    /// An error in the experiment's action.
    Error,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunConfig {
    /// URL that was requested.
    pub url: String,
    /// Namespace of the lab.
    pub namespace: String,
    /// Name of the gateway's Service.
    pub gateway_service: String,
    /// Name of the gateway's Deployment.
    pub gateway_deployment: String,
    /// Name of the Service behind the gateway.
    pub upstream_service: String,
    /// Name of the Deployment behind it.
    pub upstream_deployment: String,
    /// The arrival schedule.
    pub schedule: Schedule,
    /// goose users, i.e. the most requests in flight at once.
    pub workers: u32,
    /// A new connection for each request.
    pub connection_per_request: bool,
    /// Client's connect timeout.
    pub connect_timeout_ms: u64,
    /// Client's timeout for the whole request.
    pub timeout_ms: u64,
    /// Settings of the experiment itself, in words.
    pub experiment: BTreeMap<String, String>,
}

/// When requests are due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Schedule {
    /// Evenly spaced.
    Constant {
        /// Requests per second.
        rate_per_s: f64,
        /// Length.
        duration_s: f64,
    },
    /// Exponential gaps with a given seed.
    Poisson {
        /// Mean requests per second.
        rate_per_s: f64,
        /// Length.
        duration_s: f64,
        /// Seed of the generator.
        seed: u64,
    },
    /// Linear change of rate.
    Ramp {
        /// Rate at the start.
        from_per_s: f64,
        /// Rate at the end.
        to_per_s: f64,
        /// Length.
        duration_s: f64,
    },
    /// One constant rate after the other.
    Steps {
        /// `(requests per second, seconds)`.
        steps: Vec<(f64, f64)>,
    },
}

/// Where it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// kubeconfig context.
    pub context: Option<String>,
    /// Version of the API server.
    pub kubernetes: Option<String>,
    /// Nodes: name, kernel, runtime.
    pub nodes: Vec<BTreeMap<String, String>>,
    /// kube-proxy's mode, where it could be read.
    pub kube_proxy_mode: Option<String>,
    /// Images of gateway and upstream.
    pub images: BTreeMap<String, String>,
    /// The gateway's nginx configuration in use, where a `ConfigMap` holds it.
    pub gateway_config: Option<String>,
    /// The upstream Deployment's pod template at the start, as JSON (its hooks, probes, grace and resources).
    pub upstream_template: Option<serde_json::Value>,
    /// The gateway Deployment's, likewise.
    #[serde(default)]
    pub gateway_template: Option<serde_json::Value>,
    /// Host of the load generator: kernel, CPUs.
    pub host: BTreeMap<String, String>,
}

/// goose's own counts beside ours; they must be equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GooseCheck {
    /// Requests goose counted.
    pub requests: u64,
    /// Successes goose counted.
    pub successes: u64,
    /// Failures goose counted.
    pub failures: u64,
}
