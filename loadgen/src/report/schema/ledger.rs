//! The closed ledger, and latency.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cause;

/// sent = succeeded + failed + unaccounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// Requests the schedule handed out.
    pub sent: u64,
    /// Answered completely, with a status below 400.
    pub succeeded: u64,
    /// Everything else that has a client record.
    pub failed: u64,
    /// Sent, but without a client record.
    pub unaccounted: u64,
    /// Failures by cause; they sum to `failed`.
    pub by_cause: BTreeMap<Cause, u64>,
    /// Answers by status; `none` for no answer.
    pub by_status: BTreeMap<String, u64>,
}

/// Latency at the client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyPair {
    /// Of successes, from the intended send time when no worker was free, else from the real one.
    pub from_due: Option<Latency>,
    /// Of successes, from the real send time.
    pub from_sent: Option<Latency>,
}

/// One distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Values.
    pub count: u64,
    /// Smallest.
    pub min_us: u64,
    /// Mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest.
    pub max_us: u64,
    /// HDR histogram, V2-deflate, base64, of microseconds.
    pub hdr: String,
}
