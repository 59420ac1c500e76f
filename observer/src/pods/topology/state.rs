//! What is kept of Services and EndpointSlices, and which are wanted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::Serialize;

/// `namespace/name` of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ServiceName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ServiceName {
    /// From its two halves.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(format!("`{text}` names no Service: write NAMESPACE/NAME")),
        }
    }
}

/// One TCP port of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Port of the cluster address.
    pub port: u16,
    /// Port of every node.
    pub node_port: Option<u16>,
}

/// A Service, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceState {
    /// Reachable from outside the cluster: `NodePort` or `LoadBalancer`.
    pub external: bool,
    /// Cluster addresses; none for a headless Service.
    pub cluster_ips: Vec<IpAddr>,
    /// TCP ports.
    pub ports: Vec<ServicePort>,
}

impl ServiceState {
    /// Every address and port it is dialled at, node ports aside.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.cluster_ips.iter().flat_map(|ip| self.ports.iter().map(|port| SocketAddr::new(*ip, port.port)))
    }
}

/// An EndpointSlice, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceState {
    /// The Service it belongs to.
    pub service: ServiceName,
    /// TCP ports of its endpoints.
    pub ports: Vec<u16>,
    /// UIDs of the pods behind its endpoints, ready or not.
    pub pod_uids: Vec<String>,
}

/// Which Services are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only these namespaces. Empty: all but the cluster's own.
    pub namespaces: Vec<String>,
    /// These ports in any case.
    pub ports: Vec<u16>,
}

/// Namespaces that hold the cluster's own machinery, or ours.
const MACHINERY: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "podwitness"];

impl Wanted {
    /// Whether a Service is watched without anybody having named it.
    pub fn includes(&self, name: &ServiceName) -> bool {
        if !self.namespaces.is_empty() {
            return self.namespaces.contains(&name.namespace);
        }
        // The API server's own Service: its clients speak TLS, and all of them are machinery.
        !MACHINERY.contains(&name.namespace.as_str())
            && (name.namespace.as_str(), name.name.as_str()) != ("default", "kubernetes")
    }
}
