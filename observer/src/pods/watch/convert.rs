//! From the API's objects to what is kept of them.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::Change;
use crate::pods::index::PodState;
use crate::pods::topology::{ServiceName, ServicePort, ServiceState, SliceState};
use crate::record::PodRef;

/// A kind of object that is followed.
pub trait Watched {
    /// Name of the watch in status and logs.
    const NAME: &'static str;
    /// What identifies an object.
    type Key: Eq + Hash;

    /// Its identity.
    fn key(&self) -> Option<Self::Key>;
    /// It was added or has changed. `None`: it is of no interest.
    fn applied(&self) -> Option<Change>;
    /// It is gone.
    fn gone(key: Self::Key) -> Change;
    /// A new list is complete.
    fn listed(keys: HashSet<Self::Key>) -> Change;
}

impl Watched for Pod {
    const NAME: &'static str = "pods";
    type Key = String;

    fn key(&self) -> Option<String> {
        self.metadata.uid.clone()
    }

    fn applied(&self) -> Option<Change> {
        let status = self.status.as_ref();
        let many = status.and_then(|status| status.pod_ips.as_ref()).into_iter().flatten().map(|ip| ip.ip.as_str());
        let one = status.and_then(|status| status.pod_ip.as_deref());
        let mut ips: Vec<IpAddr> = many.chain(one).filter_map(|ip| ip.parse().ok()).collect();
        ips.dedup();
        if ips.len() > 1 && ips.first() == ips.last() {
            ips.pop();
        }
        let phase = status.and_then(|status| status.phase.as_deref());
        Some(Change::Pod(PodState {
            pod: PodRef {
                namespace: self.metadata.namespace.clone()?,
                name: self.metadata.name.clone()?,
                uid: self.metadata.uid.clone()?,
            },
            ips,
            host_network: self.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false),
            finished: matches!(phase, Some("Succeeded" | "Failed")),
        }))
    }

    fn gone(key: String) -> Change {
        Change::PodGone(key)
    }

    fn listed(keys: HashSet<String>) -> Change {
        Change::PodsListed(keys)
    }
}

/// No protocol means TCP.
fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

impl Watched for Service {
    const NAME: &'static str = "services";
    type Key = ServiceName;

    fn key(&self) -> Option<ServiceName> {
        Some(ServiceName::new(self.metadata.namespace.clone()?, self.metadata.name.clone()?))
    }

    fn applied(&self) -> Option<Change> {
        let spec = self.spec.as_ref()?;
        let port = |number: i32| u16::try_from(number).ok().filter(|port| *port != 0);
        let ports = spec.ports.iter().flatten().filter(|port| is_tcp(port.protocol.as_deref()));
        let addresses = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
        let mut cluster_ips: Vec<IpAddr> = addresses.filter_map(|ip| ip.parse().ok()).collect();
        cluster_ips.sort_unstable();
        cluster_ips.dedup();
        let state = ServiceState {
            external: matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer")),
            cluster_ips,
            ports: ports
                .filter_map(|each| {
                    Some(ServicePort { port: port(each.port)?, node_port: each.node_port.and_then(port) })
                })
                .collect(),
        };
        Some(Change::Service(self.key()?, state))
    }

    fn gone(key: ServiceName) -> Change {
        Change::ServiceGone(key)
    }

    fn listed(keys: HashSet<ServiceName>) -> Change {
        Change::ServicesListed(keys)
    }
}

/// The label that ties an EndpointSlice to its Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

impl Watched for EndpointSlice {
    const NAME: &'static str = "endpoint_slices";
    type Key = (String, String);

    fn key(&self) -> Option<(String, String)> {
        Some((self.metadata.namespace.clone()?, self.metadata.name.clone()?))
    }

    fn applied(&self) -> Option<Change> {
        let (namespace, name) = self.key()?;
        let service = self.metadata.labels.as_ref()?.get(SERVICE_LABEL)?;
        let ports = self.ports.iter().flatten().filter(|port| is_tcp(port.protocol.as_deref()));
        let state = SliceState {
            service: ServiceName::new(namespace.clone(), service),
            ports: ports.filter_map(|port| port.port.and_then(|port| u16::try_from(port).ok())).collect(),
            pod_uids: endpoints(self).filter_map(|target| target.uid.clone()).collect(),
        };
        Some(Change::Slice((namespace, name), state))
    }

    fn gone(key: (String, String)) -> Change {
        Change::SliceGone(key)
    }

    fn listed(keys: HashSet<(String, String)>) -> Change {
        Change::SlicesListed(keys)
    }
}

fn endpoints(slice: &EndpointSlice) -> impl Iterator<Item = &k8s_openapi::api::core::v1::ObjectReference> {
    let targets = slice.endpoints.iter().filter_map(|endpoint| endpoint.target_ref.as_ref());
    targets.filter(|target| target.kind.as_deref() == Some("Pod"))
}
