//! How connections and requests spread over the serving pods, who decided that, and what others would have decided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How requests spread over the serving pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Balance {
    /// Pods that were ready for the whole run: only these are compared.
    pub pods_compared: u64,
    /// Connections counted: opened during the run, each a choice of its own.
    pub connections: u64,
    /// Requests counted.
    pub requests: u64,
    /// Chi-square p value of equal shares by connection, both tails (too even is evidence as well). `null`: too few.
    pub p_equal_shares: Option<f64>,
    /// `random`, `round_robin`, `sticky`, `weighted`, `undecided`.
    pub pattern: String,
    /// In words, with figures.
    pub explanation: String,
    /// Each pod's share.
    #[serde(default)]
    pub shares: Vec<PodShare>,
    /// Of the gateway's connections, those that carried more than one request.
    #[serde(default)]
    pub connections_kept: u64,
    /// Requests on a connection that had carried one before: for these no pod was chosen.
    #[serde(default)]
    pub requests_on_kept_connections: u64,
    /// The tests behind `pattern`.
    #[serde(default)]
    pub tests: Vec<BalanceTest>,
    /// Share of runs with independent, even choices that the tests together call something else, at most.
    #[serde(default)]
    pub false_alarm_ratio: Option<f64>,
    /// Connections that are needed for a decision.
    #[serde(default)]
    pub least_connections: Option<u64>,
    /// Smallest deviation of a pod's share from an equal one that this many connections show in nine of ten runs.
    #[serde(default)]
    pub smallest_difference_ratio: Option<f64>,
    /// How the pod of one request was decided, in full.
    #[serde(default)]
    pub decision: Option<ChoiceEvidence>,
    /// What other policies would have given, computed from this run's arrivals and service times. Empty: not computed.
    #[serde(default)]
    pub what_if: Vec<PolicyForecast>,
    /// What that computation takes for granted.
    #[serde(default)]
    pub what_if_model: Option<WhatIfModel>,
}

/// One pod's share. An interval holds the true share in 95 of 100 runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PodShare {
    /// Name.
    pub pod: String,
    /// UID.
    pub pod_uid: String,
    /// Connections opened to it during the run.
    pub connections: u64,
    /// Its share of those. `null`: none was opened.
    pub connections_ratio: Option<f64>,
    /// Lower end (Wilson's interval).
    pub connections_low_ratio: Option<f64>,
    /// Upper end.
    pub connections_high_ratio: Option<f64>,
    /// Requests it got.
    pub requests: u64,
    /// Its share of those.
    pub requests_ratio: Option<f64>,
    /// Lower end; requests of one connection count as drawn together.
    pub requests_low_ratio: Option<f64>,
    /// Upper end.
    pub requests_high_ratio: Option<f64>,
}

/// One test of the choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BalanceTest {
    /// `shares` (are they as even as chance makes them?) or `order` (does a choice depend on the one before?).
    pub test: String,
    /// Whose sequence was tested: `whole`, `node`, `gateway_pod`, `gateway_thread`, `client`.
    pub level: String,
    /// Choosers at this level.
    pub choosers: u64,
    /// Connections, or pairs of consecutive ones.
    pub count: u64,
    /// Pairs that went to the same pod. `null` for `shares`.
    pub repeats: Option<u64>,
    /// Pairs that independent choices send to the same pod, on average. `null` for `shares`.
    pub repeats_expected: Option<f64>,
    /// Chi-square, or the standard score.
    pub statistic: f64,
    /// Both tails.
    pub p: f64,
    /// A test is significant below this: the false alarms of all tests together are bounded.
    pub p_limit: f64,
    /// `shares`: Cohen's w (0.1 small, 0.3 medium, 0.5 large). `order`: −1 never the same pod twice, 0 chance, 1 always.
    pub effect: f64,
}

/// How the pod of one request was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceEvidence {
    /// The request.
    pub trace_id: String,
    /// Its number.
    pub seq: u64,
    /// Sent.
    pub sent_at: String,
    /// Same, monotonic.
    pub sent_ns: u64,
    /// Gateway pod that it came through.
    pub gateway_pod: Option<String>,
    /// Pod that served it.
    pub pod: String,
    /// The gateway's socket.
    pub source: String,
    /// What the gateway dialled.
    pub dialled: String,
    /// Where the connection really went.
    pub chosen: Option<String>,
    /// The source as the pod saw it.
    pub source_seen: Option<String>,
    /// When the choice was made.
    pub chosen_at: Option<String>,
    /// Same, monotonic.
    pub chosen_ns: Option<u64>,
    /// How the choice is known: `new` (a conntrack entry of this connection), `reused` (an older entry applied, no rule
    /// was consulted), `dump` (read from the table), `direct` (the gateway dialled the pod itself). `null`: not known.
    pub nat_source: Option<String>,
    /// The connection had carried a request before: no pod was chosen for this one.
    pub connection_reused: bool,
    /// Requests on that connection before this one.
    pub requests_before_count: u64,
    /// The Service's endpoints when the choice was made, as the watch had told by then.
    pub endpoints: Vec<ChoiceEndpoint>,
    /// Since when the watch told so.
    pub endpoints_since: Option<String>,
    /// In words.
    pub explanation: String,
}

/// One endpoint that could be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChoiceEndpoint {
    /// Address.
    pub ip: String,
    /// Pod.
    pub pod: Option<String>,
    /// Gets new connections.
    pub ready: bool,
    /// On its way out.
    pub terminating: bool,
    /// This one was chosen.
    pub chosen: bool,
}

/// What a policy would have given. Computed, not measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyForecast {
    /// `as_measured`, `random`, `round_robin`, `least_requests`, `two_choices`, `peak_ewma`.
    pub policy: String,
    /// Always `computed`.
    pub source: super::Source,
    /// What it does, in words.
    pub about: String,
    /// Requests that were replayed.
    pub requests: u64,
    /// Latency at the client that it would have had.
    pub p50_us: u64,
    /// Same.
    pub p90_us: u64,
    /// Same.
    pub p99_us: u64,
    /// Same.
    pub max_us: u64,
    /// Same.
    pub mean_us: f64,
    /// Most requests at one pod at a time.
    pub in_flight_max_count: u64,
    /// Share of each pod, in the order of `shares`.
    pub shares_ratio: Vec<f64>,
}

/// What the forecasts take for granted, and how far they can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhatIfModel {
    /// In words.
    pub about: String,
    /// Pods whose answers took longer the more they had at a time: they work on one request after the other.
    pub pods_serial: Vec<String>,
    /// Gateway pods, each of which decides by what it knows itself.
    pub choosers: u64,
    /// Requests left out because a moment of theirs was not measured.
    pub requests_left_out: u64,
    /// Measured latency of the requests that were replayed.
    pub measured_p50_us: u64,
    /// Same.
    pub measured_p99_us: u64,
    /// Seed of the random numbers.
    pub seed: u64,
}
