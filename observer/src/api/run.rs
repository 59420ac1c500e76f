//! Announced runs: while one is open, records of each request are kept.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Announces a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunRequest {
    /// 16 lower-case hex digits: the first half of the trace id of each of the run's requests.
    pub id: String,
    /// Namespace whose Services are watched in this run.
    pub namespace: String,
    /// Name of the gateway's Service.
    pub gateway_service: String,
    /// Name of the Service behind the gateway.
    pub upstream_service: String,
    /// Who asks, for the message to a second asker.
    pub client: String,
}

/// A run as the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// Who opened it.
    pub client: String,
    /// Opened at, node's `CLOCK_MONOTONIC`.
    pub opened_ns: u64,
    /// Closed at.
    pub closed_ns: Option<u64>,
    /// Records held for it.
    pub records: u64,
    /// Records that did not fit into the store.
    pub records_dropped: u64,
}

/// Last line of a records answer: how to tell a whole answer from a cut one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordsEnd {
    /// Always `end`.
    pub record: String,
    /// Lines before this one.
    pub records: u64,
    /// Loss counters between opening and closing of the run, by name; only those that are not zero.
    pub loss: BTreeMap<String, u64>,
}

/// A refusal, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub fix: String,
}
