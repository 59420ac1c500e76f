//! How the number of pods followed: who changed it, what became of each new pod, and whether autoscalers did what their
//! formula says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChainStep, Latency};

/// Everything about the number of pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scaling {
    /// The Deployment that is scaled.
    pub deployment: String,
    /// `gateway` or `upstream`.
    pub role: String,
    /// The autoscaler that the run is about. `null`: none.
    pub autoscaler: Option<String>,
    /// Changes of its replicas, in order of time.
    pub changes: Vec<ScaleChange>,
    /// Each pod that came during the run.
    pub new_pods: Vec<NewPod>,
    /// The run in stretches of time.
    pub phases: Vec<ScalingPhase>,
    /// Every autoscaler of the namespace.
    pub autoscalers: Vec<AutoscalerReport>,
    /// The metrics that autoscalers live on. `null`: not measured.
    pub metrics: Option<MetricsSource>,
    /// Requests that a gateway sent on connections that it kept. `null`: no observer.
    pub requests_on_kept_connections: Option<u64>,
}

/// One change of replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleChange {
    /// When it was known.
    pub at: String,
    /// Same, monotonic.
    pub at_ns: u64,
    /// Milliseconds since the start of the run.
    pub after_start_ms: f64,
    /// Replicas before.
    pub from: i32,
    /// Replicas after.
    pub to: i32,
    /// `loadgen`, `autoscaler`, or the field manager that owns the number.
    pub by: String,
    /// From what brought it about to the last pod's first success, or to the last pod's end; `after_ms` counts from the first step.
    pub steps: Vec<ChainStep>,
    /// Pods that came, or went, by name.
    pub pods: Vec<String>,
    /// Requests lost at the pods that went.
    pub failed: u64,
}

/// One pod that came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewPod {
    /// Name.
    pub pod: String,
    /// UID.
    pub uid: String,
    /// `requested`, `created`, `scheduled`, `ready`, `endpoint_added`, `first_connection`, `first_success`; `after_ms` counts from
    /// the first step.
    pub steps: Vec<ChainStep>,
    /// How long it was a ready endpoint during the run. `null`: it never was.
    pub in_service_ms: Option<f64>,
    /// Requests that it got from then on. `null`: no observer.
    pub requests: Option<u64>,
    /// New connections that rules sent to it. `null`: no observer.
    pub new_connections: Option<u64>,
    /// Its share of all requests of that time.
    pub share_ratio: Option<f64>,
    /// What an even spread over the endpoints of each moment would have given it.
    pub fair_share_ratio: Option<f64>,
}

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingPhase {
    /// What it is.
    pub name: String,
    /// From.
    pub from_ms: f64,
    /// Until.
    pub until_ms: f64,
    /// Requests due in it.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Latency of the others at the client, from the intended send time.
    pub latency: Option<Latency>,
}

/// One autoscaler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerReport {
    /// Name.
    pub name: String,
    /// What it scales.
    pub target: String,
    /// Never fewer.
    pub min_replicas: i32,
    /// Never more.
    pub max_replicas: i32,
    /// Wanted CPU use in percent of the pods' requests.
    pub target_percent: Option<i32>,
    /// Stabilization window of the way down.
    pub down_window_s: u32,
    /// Highest use that it saw.
    pub highest_percent: Option<i32>,
    /// Most replicas that it wanted.
    pub most_desired: i32,
    /// Shortest time between two of its syncs that left a trace. `null`: fewer than two did.
    pub sync_interval_s: Option<f64>,
    /// Its syncs that left a trace, with the formula computed again.
    pub syncs: Vec<AutoscalerSync>,
    /// The formula against the controller.
    pub agreement: FormulaAgreement,
}

/// Formula and controller, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormulaAgreement {
    /// Syncs that were compared.
    pub compared: u64,
    /// The controller did what the formula says.
    pub agreed: u64,
    /// Of these, by less than we know the time of a window's edge.
    pub agreed_at_an_edge: u64,
    /// It did something else.
    pub disagreed: u64,
    /// Syncs whose inputs are not known.
    pub not_comparable: u64,
}

/// One sync of an autoscaler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerSync {
    /// When its status was seen.
    pub at: String,
    /// Same, monotonic.
    pub at_ns: u64,
    /// Milliseconds since the start of the run.
    pub after_start_ms: f64,
    /// Replicas that it found.
    pub current_replicas: i32,
    /// Use that it saw, in whole percent.
    pub percent: Option<i32>,
    /// Pods with a sample that counts, without one that does, and without any. `null`: not known.
    pub ready_pods: Option<u64>,
    /// Pods that are not ready yet.
    pub unready_pods: Option<u64>,
    /// Pods without a sample.
    pub missing_pods: Option<u64>,
    /// What the formula asks for.
    pub asked_replicas: Option<i32>,
    /// What is left of that after windows, rates, minimum and maximum.
    pub predicted_replicas: Option<i32>,
    /// What the controller wanted.
    pub desired_replicas: i32,
    /// Prediction and decision are equal. `null`: not compared.
    pub agrees: Option<bool>,
    /// In words.
    pub explanation: String,
}

/// Where CPU metrics come from, measured by their own time stamps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricsSource {
    /// From one sample of a pod to its next, the median.
    pub interval_s: Option<f64>,
    /// Over how long a sample is taken, the median.
    pub window_s: Option<f64>,
    /// Samples that were seen.
    pub samples: u64,
    /// Shortest time between two syncs of any autoscaler that left a trace.
    pub sync_interval_s: Option<f64>,
    /// Which profile that is, in words.
    pub profile: String,
}
