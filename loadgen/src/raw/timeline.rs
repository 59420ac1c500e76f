//! What happened in the cluster, and what we did to it, stamped on arrival.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scaling::{AutoscalerState, DeploymentState, PodMetrics, ScaledPod};

/// One entry of `raw/timeline.ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// When we learned of it (`CLOCK_MONOTONIC`; API time stamps have 1 s resolution).
    pub at_ns: u64,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
}

/// What an entry is about. Each watch entry is the object's whole state of interest: a change is the difference between
/// two entries of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum Subject {
    /// Something we did, or asked the API to do.
    Action {
        /// `delete_pod`, `restart_deployment`, `patch_template`, `restore`, `wait`, …
        name: String,
        /// Object it was done to: `pod/x`, `deployment/y`.
        target: String,
        /// UID of the object, where known.
        uid: Option<String>,
        /// Before the request was written; `at_ns` is when the answer had come.
        requested_ns: u64,
        /// The result, or details, in words.
        detail: String,
    },
    /// A pod of the lab's namespace.
    Pod {
        /// Name.
        name: String,
        /// UID.
        uid: String,
        /// Address, once it has one.
        ip: Option<IpAddr>,
        /// Node, once scheduled.
        node: Option<String>,
        /// `Pending`, `Running`, …
        phase: String,
        /// Condition `Ready`.
        ready: bool,
        /// A deletion time stamp is set.
        terminating: bool,
        /// The object is gone from the API.
        deleted: bool,
        /// `kind/name` of the controller.
        owner: Option<String>,
        /// Label `pod-template-hash`.
        revision: Option<String>,
        /// Label `version`.
        version: Option<String>,
        /// Label `app`.
        app: Option<String>,
        /// Containers' states.
        containers: Vec<ContainerState>,
    },
    /// The endpoints of a Service: all its `EndpointSlice`s together.
    Endpoints {
        /// Name of the Service.
        service: String,
        /// Every endpoint.
        endpoints: Vec<Endpoint>,
    },
    /// A `ReplicaSet` of the lab's namespace.
    ReplicaSet {
        /// Name.
        name: String,
        /// `deployment/name` that owns it.
        owner: Option<String>,
        /// Annotation `deployment.kubernetes.io/revision`.
        revision: Option<String>,
        /// Wanted replicas.
        desired: i32,
        /// Ready replicas.
        ready: i32,
        /// Image of the first container.
        image: Option<String>,
        /// Annotation `kubernetes.io/change-cause`.
        #[serde(default)]
        change_cause: Option<String>,
    },
    /// A Kubernetes event.
    Event {
        /// `FailedPreStopHook`, `Killing`, `Unhealthy`, …
        reason: String,
        /// `Normal` or `Warning`.
        kind: String,
        /// Text.
        message: String,
        /// `kind/name` it is about.
        object: String,
        /// UID of that object.
        uid: Option<String>,
        /// How often so far.
        count: i32,
    },
    /// The watch itself failed or started again; things may be missing before this moment.
    WatchGap {
        /// Which watch.
        watch: String,
        /// Why.
        detail: String,
    },
    /// CPU throttling of a pod's cgroup so far, where it can be read.
    Throttling {
        /// Pod.
        pod: String,
        /// UID.
        uid: String,
        /// Periods in which the pod was throttled.
        throttled_periods: u64,
        /// Time it was throttled for.
        throttled_us: u64,
    },
    /// A `HorizontalPodAutoscaler` of the lab's namespace.
    Autoscaler(AutoscalerState),
    /// A Deployment of the lab's namespace.
    Deployment(DeploymentState),
    /// What an autoscaler looks at in a pod.
    ScaledPod(ScaledPod),
    /// CPU use of pods, when it changed.
    PodMetrics(PodMetrics),
}

/// One container's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerState {
    /// Name.
    pub name: String,
    /// Image.
    pub image: String,
    /// `running`, `waiting:REASON`, `terminated:REASON:EXIT`.
    pub state: String,
    /// Restarts so far.
    pub restarts: i32,
}

/// One endpoint of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Address.
    pub ip: IpAddr,
    /// Pod behind it.
    pub pod: Option<String>,
    /// UID of that pod.
    pub uid: Option<String>,
    /// Gets new traffic.
    pub ready: bool,
    /// Still answers.
    pub serving: bool,
    /// On its way out.
    pub terminating: bool,
}
