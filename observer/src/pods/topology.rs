//! Services and their endpoints: which ports to watch, and what part a pod plays. Pure.
//!
//! Parts are remembered: a pod that was once an endpoint of a Service stays one in the eyes of late events.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

mod ports;
mod state;

pub use state::{ServiceName, ServicePort, ServiceState, SliceState, Wanted};

/// What part a pod plays on a request's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is dialled by clients and dials the upstream.
    Gateway,
    /// It serves.
    Upstream,
    /// It was never seen as an endpoint of a watched Service.
    None,
}

/// The Services that the current run (or a flag) names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The gateway's.
    pub gateway: Option<ServiceName>,
    /// The one behind it.
    pub upstream: Option<ServiceName>,
}

/// Service addresses are remembered after the Service is gone or has changed, but not without bound.
const ADDRESSES_MAX: usize = 4096;

/// Services, EndpointSlices and what was once true of them.
#[derive(Debug, Default)]
pub struct Topology {
    wanted: Wanted,
    parts: Parts,
    services: BTreeMap<ServiceName, ServiceState>,
    slices: BTreeMap<(String, String), SliceState>,
    /// Pod UID → Services it has ever been an endpoint of.
    endpoints: HashMap<Arc<str>, BTreeSet<ServiceName>>,
    addresses: HashMap<SocketAddr, ServiceName>,
}

impl Topology {
    /// `wanted` says which Services are watched, `parts` which of them are gateway and upstream when no run says so.
    pub fn new(wanted: Wanted, parts: Parts) -> Self {
        Self { wanted, parts, ..Self::default() }
    }

    /// A Service was added or has changed.
    pub fn apply_service(&mut self, name: ServiceName, state: ServiceState) {
        for address in state.addresses() {
            if self.addresses.len() < ADDRESSES_MAX || self.addresses.contains_key(&address) {
                self.addresses.insert(address, name.clone());
            }
        }
        self.services.insert(name, state);
    }

    /// A Service is gone.
    pub fn delete_service(&mut self, name: &ServiceName) {
        self.services.remove(name);
    }

    /// An EndpointSlice was added or has changed.
    pub fn apply_slice(&mut self, namespace: &str, slice: &str, state: SliceState) {
        for uid in &state.pod_uids {
            self.endpoints.entry(Arc::from(uid.as_str())).or_default().insert(state.service.clone());
        }
        self.slices.insert((namespace.to_owned(), slice.to_owned()), state);
    }

    /// An EndpointSlice is gone. Its pods keep their part.
    pub fn delete_slice(&mut self, namespace: &str, slice: &str) {
        self.slices.remove(&(namespace.to_owned(), slice.to_owned()));
    }

    /// Services were listed anew.
    pub fn retain_services(&mut self, listed: &HashSet<ServiceName>) {
        self.services.retain(|name, _| listed.contains(name));
    }

    /// EndpointSlices were listed anew.
    pub fn retain_slices(&mut self, listed: &HashSet<(String, String)>) {
        self.slices.retain(|name, _| listed.contains(name));
    }

    /// The part a pod plays. With named parts only these count; else a Service that is reachable from outside
    /// (`NodePort`, `LoadBalancer`) makes a gateway and any other watched one an upstream.
    pub fn role(&self, uid: &str, run: Option<&Parts>) -> Role {
        let parts = run.unwrap_or(&self.parts);
        let Some(of) = self.endpoints.get(uid) else { return Role::None };
        let named = |part: &Option<ServiceName>| part.as_ref().map(|name| of.contains(name));
        let outside = || of.iter().any(|name| self.services.get(name).is_some_and(|service| service.external));
        if named(&parts.gateway).unwrap_or_else(outside) {
            return Role::Gateway;
        }
        let watched = || of.iter().any(|name| self.is_watched(name, run));
        if named(&parts.upstream).unwrap_or_else(watched) { Role::Upstream } else { Role::None }
    }

    /// The pod was an endpoint of some Service at some time, and every such Service has been told to us: its part is known.
    pub fn knows_part(&self, uid: &str) -> bool {
        self.endpoints.get(uid).is_some_and(|of| of.iter().all(|name| self.services.contains_key(name)))
    }

    /// The Service whose address this is, or once was.
    pub fn service_at(&self, address: SocketAddr) -> Option<&ServiceName> {
        self.addresses.get(&address)
    }

    /// Whether traffic to this address is the gateway's way to its upstream. `pod` is the UID that owns the address, if any.
    pub fn leads_upstream(&self, address: SocketAddr, pod: Option<&str>, run: Option<&Parts>) -> bool {
        let parts = run.unwrap_or(&self.parts);
        match self.service_at(address) {
            Some(service) => match &parts.upstream {
                Some(upstream) => service == upstream || self.is_part_of(service, upstream),
                None => self.is_watched(service, run) && Some(service) != parts.gateway.as_ref(),
            },
            None => pod.is_some_and(|uid| self.role(uid, run) == Role::Upstream),
        }
    }

    /// A Service for some of another's pods, such as one version of two: each of its pods is one of the other's as well.
    fn is_part_of(&self, service: &ServiceName, whole: &ServiceName) -> bool {
        let slices = self.slices.values().filter(|slice| slice.service == *service);
        let mut pods = slices.flat_map(|slice| &slice.pod_uids).peekable();
        pods.peek().is_some() && pods.all(|uid| self.endpoints.get(uid.as_str()).is_some_and(|of| of.contains(whole)))
    }

    /// Whether a destination as dialled is the gateway's Service: its cluster address, or its node port on any address.
    pub fn is_gateway_address(&self, dialled: SocketAddr, run: Option<&Parts>) -> bool {
        let parts = run.unwrap_or(&self.parts);
        let is = |name: &ServiceName, state: &ServiceState| match &parts.gateway {
            Some(gateway) => gateway == name,
            None => state.external && self.is_watched(name, run),
        };
        let of_service = self.service_at(dialled).and_then(|name| Some((name, self.services.get(name)?)));
        of_service.is_some_and(|(name, state)| is(name, state))
            || self.services.iter().any(|(name, state)| {
                is(name, state) && state.ports.iter().any(|port| port.node_port == Some(dialled.port()))
            })
    }

    /// Forgets the parts of pods that are gone for good.
    pub fn forget(&mut self, uids: &[Arc<str>]) {
        for uid in uids {
            self.endpoints.remove(uid);
        }
    }

    /// The Service exists.
    pub fn has_service(&self, name: &ServiceName) -> bool {
        self.services.contains_key(name)
    }
}

#[cfg(test)]
mod tests;
