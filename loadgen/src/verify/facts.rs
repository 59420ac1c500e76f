//! What the cluster said.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// kubeconfig context.
    pub context: Option<String>,
    /// Version of the API server.
    pub kubernetes: String,
    /// Namespace of the lab.
    pub namespace: String,
    /// Another namespace, from which names are looked up as well.
    pub other_namespace: String,
    /// The cluster's DNS domain, as told on the command line.
    pub cluster_domain: String,
    /// Whether the namespace is there.
    pub namespace_found: Found<()>,
    /// The gateway.
    pub gateway: Half,
    /// What is behind it.
    pub upstream: Half,
    /// `ConfigMaps` of the assignment and those that a pod template names.
    pub config_maps: BTreeMap<String, Found<BTreeMap<String, String>>>,
    /// Secrets of the assignment and those that a pod template names, by key.
    pub secrets: BTreeMap<String, Found<BTreeMap<String, SecretValue>>>,
    /// Requests sent to the gateway.
    pub http: Vec<Answered>,
    /// Lines of the marked request in the logs of the gateway's pods …
    pub gateway_log: LogLook,
    /// … and of the serving pods.
    pub upstream_log: LogLook,
    /// What the cluster's name server answers.
    pub dns: DnsLook,
    /// What short-lived pods saw, where they were asked for.
    pub debug_pods: Vec<DebugPod>,
}

/// An object that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Found<T> {
    /// It is there.
    There(T),
    /// It is not.
    Missing,
    /// That cannot be told: why.
    Unreadable(String),
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self::Unreadable("not looked at".to_owned())
    }
}

impl<T> Found<T> {
    /// What is there.
    pub fn there(&self) -> Option<&T> {
        match self {
            Self::There(value) => Some(value),
            _ => None,
        }
    }
}

/// A Deployment and the Service in front of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Half {
    /// Name of the Deployment.
    pub deployment_name: String,
    /// Name of the Service.
    pub service_name: String,
    /// The Deployment.
    pub deployment: Found<DeploymentFact>,
    /// The Service.
    pub service: Found<ServiceFact>,
    /// The Deployment's pods that are not on their way out.
    pub pods: Vec<PodFact>,
    /// The Service's endpoints.
    pub endpoints: Vec<EndpointFact>,
    /// Why pods or endpoints could not be read.
    pub problem: Option<String>,
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentFact {
    /// Wanted pods.
    pub replicas: i32,
    /// Ready pods.
    pub ready: i32,
    /// Why its rollout is not complete. `null`: it is.
    pub unfinished: Option<String>,
    /// Labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// Image of its first container.
    pub image: String,
    /// Arguments of it.
    pub args: Vec<String>,
    /// `env`, in order.
    pub env: Vec<EnvVariable>,
    /// `envFrom`, in order.
    pub env_from: Vec<EnvFrom>,
    /// Volumes from `ConfigMaps` and Secrets that are mounted.
    pub mounts: Vec<Mount>,
}

/// One entry of `env`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvVariable {
    /// Name.
    pub name: String,
    /// Where its value comes from.
    pub from: EnvSource,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvSource {
    /// Written in the template.
    Value(String),
    /// A key of a Secret.
    Secret {
        /// Its name.
        name: String,
        /// Its key.
        key: String,
    },
    /// A key of a `ConfigMap`.
    ConfigMap {
        /// Its name.
        name: String,
        /// Its key.
        key: String,
    },
    /// A field of the pod, or a resource.
    Pod(String),
}

/// One entry of `envFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvFrom {
    /// `config_map` or `secret`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Put before each key.
    pub prefix: String,
}

/// A mounted volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// `config_map` or `secret`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where.
    pub path: String,
    /// One file of it (`subPath`): it never changes in a running pod.
    pub sub_path: Option<String>,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceFact {
    /// `ClusterIP`, `NodePort`, …
    pub kind: String,
    /// Its own address.
    pub cluster_ip: Option<String>,
    /// Labels of the pods behind it.
    pub selector: BTreeMap<String, String>,
    /// `(port, target port, node port)`.
    pub ports: Vec<(i32, String, Option<i32>)>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodFact {
    /// Name.
    pub name: String,
    /// Address.
    pub ip: Option<String>,
    /// Condition `Ready`.
    pub ready: bool,
    /// Why not, where it is told.
    pub why: Option<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointFact {
    /// Address.
    pub ip: String,
    /// Gets traffic.
    pub ready: bool,
    /// Pod behind it.
    pub pod: Option<String>,
}

/// One value of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretValue {
    /// Its length, decoded.
    pub length_bytes: u64,
    /// Itself; only with `--show-secrets`, and never in the file.
    pub value: Option<String>,
}

/// A request to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// Path.
    pub path: String,
    /// Whole URL.
    pub url: String,
    /// Status. `null`: no answer.
    pub status: Option<u16>,
    /// Body, its first 4 KiB.
    pub body: String,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// A search for the marked request in the logs of some pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLook {
    /// Pods whose log could be read.
    pub pods_read: u64,
    /// Lines in these logs from the time of the request on.
    pub lines: u64,
    /// Lines of the marked request, each with its pod.
    pub found: Vec<(String, String)>,
    /// Why a log could not be read.
    pub problem: Option<String>,
}

/// What the name server said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsLook {
    /// How it was asked. `null`: it was not.
    pub server: Option<String>,
    /// Why it could not be asked.
    pub problem: Option<String>,
    /// Every name that was asked for, in order.
    pub lookups: Vec<Lookup>,
}

/// One name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    /// The whole name.
    pub name: String,
    /// `NOERROR`, `NXDOMAIN`, …
    pub code: String,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// What a short-lived pod saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DebugPod {
    /// Its namespace.
    pub namespace: String,
    /// Its image.
    pub image: String,
    /// Why it said nothing.
    pub problem: Option<String>,
    /// Its `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// `(name as asked, addresses)`; none: it was not found.
    pub lookups: Vec<(String, Vec<String>)>,
    /// A variable that two `ConfigMaps` of its `envFrom` define: `first` or `second`. `null`: not tried.
    pub duplicate_key: Option<String>,
}

impl Facts {
    /// Without the values of Secrets.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut facts = self.clone();
        for secret in facts.secrets.values_mut() {
            if let Found::There(values) = secret {
                for value in values.values_mut() {
                    value.value = None;
                }
            }
        }
        facts
    }

    /// The answer to a path.
    pub fn answer(&self, path: &str) -> Option<&Answered> {
        self.http.iter().find(|answer| answer.path == path)
    }
}
