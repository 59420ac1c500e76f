//! Finding the agents' pods.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::conversation::{Conversation, PATIENCE};
use super::error::ObserverError;
use crate::cluster::connect::words;

/// Label of the agents' pods.
pub const LABEL: &str = "app.kubernetes.io/name=podwitness-observer";

/// Who listens in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Observer,
    Shard,
}

/// The agent of one node, or a shard of a load: who is spoken to through a forwarded port.
#[derive(Clone)]
pub struct Agent {
    part: Part,
    /// Its node.
    pub node: String,
    /// Its pod.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    pods: Api<Pod>,
}

/// The agents of a cluster.
pub struct Agents {
    /// Running ones, in order of node.
    pub running: Vec<Agent>,
    /// Pods that do not run, and nodes without one, in words.
    pub missing: Vec<String>,
}

/// Finds them.
pub async fn find(client: &Client, namespace: &str) -> Result<Agents, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let list = pods.list(&ListParams::default().labels(LABEL)).await?;
    let (mut running, mut missing) = (Vec::new(), Vec::new());
    for pod in list.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        if phase == "Running" {
            let (pod, namespace) = (pod.name_any(), namespace.to_owned());
            running.push(Agent { part: Part::Observer, node, pod, namespace, pods: pods.clone() });
        } else {
            missing.push(format!("pod/{} on node {node} is {phase}", pod.name_any()));
        }
    }
    running.sort_by(|a, b| a.node.cmp(&b.node));
    // Who may not list nodes still gets the agents that are there.
    if let Ok(nodes) = Api::<Node>::all(client.clone()).list(&ListParams::default()).await {
        let bare = nodes.items.iter().map(ResourceExt::name_any).filter(|node| {
            !running.iter().any(|agent| agent.node == *node)
                && !list.items.iter().any(|pod| pod.spec.as_ref().and_then(|s| s.node_name.as_ref()) == Some(node))
        });
        missing.extend(bare.map(|node| format!("node {node} has no observer")));
    }
    Ok(Agents { running, missing })
}

impl Agent {
    /// A shard of a load.
    pub fn shard(client: &Client, namespace: &str, pod: &str, node: &str) -> Self {
        Self {
            part: Part::Shard,
            node: node.to_owned(),
            pod: pod.to_owned(),
            namespace: namespace.to_owned(),
            pods: Api::namespaced(client.clone(), namespace),
        }
    }

    /// Opens a connection to it.
    pub async fn open(&self) -> Result<Conversation, ObserverError> {
        let port = match self.part {
            Part::Observer => observer::api::DEFAULT_PORT,
            Part::Shard => crate::shard::PORT,
        };
        let opened = tokio::time::timeout(PATIENCE, self.pods.portforward(&self.pod, &[port])).await;
        let opened = opened.map_err(|_| self.unreachable("the API server does not forward the port".into()))?;
        let mut forwarder = opened.map_err(|error| self.unreachable(words(&error)))?;
        let stream = forwarder.take_stream(port).ok_or_else(|| self.unreachable("no stream".into()))?;
        let refused = forwarder.take_error(port);
        Conversation::start(self.clone(), stream, forwarder, refused).await
    }

    /// For errors.
    pub fn unreachable(&self, why: String) -> ObserverError {
        ObserverError::Unreachable {
            who: self.who(),
            pod: self.pod.clone(),
            namespace: self.namespace.clone(),
            why,
            way_out: match self.part {
                Part::Observer => "; go on without with --no-observer",
                Part::Shard => "",
            },
        }
    }

    /// For errors: who it is.
    pub fn who(&self) -> String {
        match self.part {
            Part::Observer => format!("the observer on node {}", self.node),
            Part::Shard => format!("the load's shard in pod/{} on node {}", self.pod, self.node),
        }
    }
}
