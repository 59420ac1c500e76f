//! The agent's health, as data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything a user may want to know of a running agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Version of the agent.
    pub version: String,
    /// Node name.
    pub node: String,
    /// Kernel release.
    pub kernel: String,
    /// Boot id of the node.
    pub boot_id: String,
    /// Started at, node's `CLOCK_MONOTONIC`.
    pub started_ns: u64,
    /// Now.
    pub now_ns: u64,
    /// The canary connection made at start was seen by the programs.
    pub canary_seen: bool,
    /// The cgroup the programs are attached to.
    pub cgroup: String,
    /// Each program, and what is lost without it.
    pub programs: Vec<ProgramStatus>,
    /// Parts that work without the others.
    pub watches: Vec<Watch>,
    /// Ports watched, with their source.
    pub ports: Vec<WatchedPort>,
    /// Counted losses since start.
    pub loss: Loss,
    /// Own cost since start.
    pub cost: Cost,
    /// Counters that are no losses, by name (events by kind, probes, foreign connections, pipelined, …).
    pub counters: BTreeMap<String, u64>,
    /// Always-on histograms: each pod and hop.
    pub hops: Vec<HopSummary>,
    /// Runs held.
    pub runs: Vec<super::Run>,
}

impl Status {
    /// Why the agent is not healthy; `None`: it is. A watch that fails makes it poorer, not unhealthy: see [`Status::watches`].
    pub fn problem(&self) -> Option<String> {
        Self::problem_of(&self.programs, self.canary_seen)
    }

    /// The same, from the parts that decide it.
    pub fn problem_of(programs: &[ProgramStatus], canary_seen: bool) -> Option<String> {
        let missing = |program: &&ProgramStatus| program.required && !program.attached;
        if let Some(program) = programs.iter().find(missing) {
            let reason = program.reason.as_deref().unwrap_or("no reason given");
            return Some(format!("program {} is not attached: {reason}", program.name));
        }
        (!canary_seen).then(|| "the programs did not see the agent's own test connection".to_owned())
    }
}

/// One program's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramStatus {
    /// Its name.
    pub name: String,
    /// The hook it attaches to.
    pub hook: String,
    /// Without it the agent does not run.
    pub required: bool,
    /// It is attached.
    pub attached: bool,
    /// Why not, when not.
    pub reason: Option<String>,
    /// What is lost without it.
    pub lost_without: String,
}

/// A source that can fail on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watch {
    /// `pods`, `endpoint_slices`, `conntrack`, …
    pub name: String,
    /// It works now.
    pub ok: bool,
    /// Why not, when not.
    pub reason: Option<String>,
}

/// A watched port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedPort {
    /// The port.
    pub port: u16,
    /// A Service `namespace/name`, or `flag`.
    pub source: String,
}

/// Everything that can be lost, each with its own name. A field that is zero means nothing was lost there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Counters by name, as the metrics name them.
    pub by_name: BTreeMap<String, u64>,
    /// Their sum over those that mean a lost kernel event.
    pub events_dropped: u64,
}

/// What the agent itself costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// CPU time of the agent's process.
    pub cpu_ns: u64,
    /// Wall time that `cpu_ns` was spent in.
    pub wall_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Time in the eBPF programs. `None`: not measured (the kernel's statistics are off).
    pub bpf_ns: Option<u64>,
    /// Runs of the eBPF programs.
    pub bpf_runs: Option<u64>,
    /// Exchanges seen at all hops.
    pub exchanges: u64,
}

/// Latency of one pod at one hop since start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HopSummary {
    /// The hop.
    pub hop: crate::record::Hop,
    /// `namespace/name` of the pod; `None` when unknown.
    pub pod: Option<String>,
    /// Exchanges by status class: `2xx`, …, `none`.
    pub by_status: BTreeMap<String, u64>,
    /// Percentiles of request start → response end.
    pub p50_us: Option<u64>,
    /// See `p50_us`.
    pub p99_us: Option<u64>,
    /// The histogram (HDR V2-deflate, base64).
    pub hdr: Option<String>,
}
