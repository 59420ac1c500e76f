//! What decides how many pods there are: autoscalers, the replicas that were asked for, and the CPU that pods use.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A `HorizontalPodAutoscaler`: what it wants, and what it last wrote of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerState {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// `deployment/name` that it scales.
    pub target: String,
    /// Never fewer.
    pub min_replicas: i32,
    /// Never more.
    pub max_replicas: i32,
    /// Wanted CPU use, in percent of the pods' requests. `None`: it has no such target.
    pub target_percent: Option<i32>,
    /// Its other metrics, by type and name.
    pub other_metrics: Vec<String>,
    /// Its own rules. `None`: the controller's defaults.
    pub behavior: Option<ScalingBehavior>,
    /// Replicas that it found.
    pub current_replicas: i32,
    /// Replicas that it wants.
    pub desired_replicas: i32,
    /// CPU use that it computed, in whole percent of the pods' requests.
    pub cpu_percent: Option<i32>,
    /// The same as millicores of one pod.
    pub cpu_average_milli: Option<i64>,
    /// When it last changed the replicas (RFC 3339, whole seconds).
    pub last_scale_at: Option<String>,
    /// What it says of itself.
    pub conditions: Vec<AutoscalerCondition>,
    /// The object is gone.
    pub deleted: bool,
}

/// One condition of an autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AutoscalerCondition {
    /// `AbleToScale`, `ScalingActive`, `ScalingLimited`.
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// `spec.behavior`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingBehavior {
    /// On the way up.
    pub up: ScalingRules,
    /// On the way down.
    pub down: ScalingRules,
}

/// Rules of one direction, as the API server completed them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingRules {
    /// Stabilization window. `None`: the controller's own.
    pub window_s: Option<u32>,
    /// `Max`, `Min` or `Disabled`: which of the policies holds.
    pub select: String,
    /// How fast.
    pub policies: Vec<ScalingPolicy>,
    /// Deviation from the target that is left alone. `None`: the controller's own.
    pub tolerance_ratio: Option<f64>,
}

/// At most this change within a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingPolicy {
    /// `Pods` or `Percent`.
    pub kind: String,
    /// Pods, or percent.
    pub value: i32,
    /// Period.
    pub period_s: u32,
}

/// A Deployment's replicas, and who asked for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentState {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// `spec.replicas`.
    pub replicas: i32,
    /// Ready replicas.
    pub ready: i32,
    /// Field manager that owns `spec.replicas`, `(scale)` behind it when it came through the scale subresource.
    pub replicas_by: Option<String>,
    /// Labels by which it knows its pods.
    pub selector: BTreeMap<String, String>,
    /// The object is gone.
    pub deleted: bool,
}

/// What an autoscaler looks at in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScaledPod {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `Pending`, `Running`, …
    pub phase: String,
    /// A deletion time stamp is set.
    pub terminating: bool,
    /// Condition `Ready`. `None`: it has none yet.
    pub ready: Option<bool>,
    /// When that condition last changed, seconds since 1970.
    pub ready_changed_s: Option<i64>,
    /// When the kubelet took it, seconds since 1970.
    pub started_s: Option<i64>,
    /// CPU that its containers request. `None`: one of them requests none.
    pub cpu_request_milli: Option<i64>,
    /// The object is gone.
    pub deleted: bool,
}

/// CPU use of pods as the metrics API told it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodMetrics {
    /// Every pod of the namespace that has a sample.
    pub pods: Vec<PodUsage>,
    /// Why it told nothing.
    pub error: Option<String>,
}

/// One pod's sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodUsage {
    /// Pod.
    pub pod: String,
    /// End of its window, seconds since 1970.
    pub at_s: i64,
    /// Length of its window.
    pub window_ms: u64,
    /// Millicores, each container rounded up as the autoscaler does.
    pub cpu_milli: i64,
}
