//! What the Kubernetes watch and our own actions say of pods and endpoints, as histories that can be asked "at T?".

mod build;
mod endpoints;
mod pod_life;
mod pressure;
mod stops;

pub use endpoints::{EndpointHistory, EndpointState};
pub use pod_life::{PodLife, Role};
pub use pressure::{Pressure, Ran};
pub use stops::{Stops, UsedUp};

use std::collections::HashMap;
use std::net::IpAddr;

use observer::record::PodRef;
use rustc_hash::FxHashMap;

use super::limits::WATCH_LAG_NS;

/// Position of a pod in [`Cluster::pods`].
pub type PodAt = u32;

/// Histories of everything that the time line tells.
#[derive(Debug, Default)]
pub struct Cluster<'a> {
    /// Every pod that the time line or a record names.
    pub pods: Vec<PodLife<'a>>,
    by_uid: FxHashMap<&'a str, PodAt>,
    by_ip: HashMap<IpAddr, Vec<PodAt>>,
    endpoints: HashMap<&'a str, EndpointHistory>,
    /// The watch told of all pods of this namespace from then on, without a gap.
    watched: Option<(&'a str, u64)>,
}

impl<'a> Cluster<'a> {
    /// The pod with that position.
    pub fn pod(&self, at: PodAt) -> &PodLife<'a> {
        &self.pods[at as usize]
    }

    /// The pod that a record names: one that only records name gets its place here.
    pub fn ensure(&mut self, pod: &'a PodRef, role: Option<Role>, ip: Option<IpAddr>) -> PodAt {
        let at = self.position(&pod.uid, &pod.name);
        let watched = self.watched.filter(|(namespace, _)| *namespace == pod.namespace);
        let life = &mut self.pods[at as usize];
        life.role = life.role.or(role);
        life.ip = life.ip.or(ip);
        if life.first_seen_ns.is_none() {
            life.absent_since_ns = watched.map(|(_, since_ns)| since_ns);
        }
        at
    }

    /// A pod's CPU limit stopped it.
    pub fn stopped(&mut self, at: PodAt, stops: Stops) {
        self.pods[at as usize].stops.push(stops);
    }

    /// How a pod fared on its node's CPUs between two readings.
    pub fn fared(&mut self, at: PodAt, pressure: Pressure) {
        self.pods[at as usize].pressures.push(pressure);
    }

    /// No pod that the watch told of has ever had that address; since when it tells. `None`: one had, or the watch cannot say.
    pub fn nobody_has(&self, ip: IpAddr) -> Option<u64> {
        self.watched.filter(|_| !self.by_ip.contains_key(&ip)).map(|(_, since_ns)| since_ns)
    }

    /// The only pod that can have owned an address at that time. Two candidates are none.
    pub fn owner_of(&self, ip: IpAddr, at_ns: u64) -> Option<PodAt> {
        let mut found = None;
        for at in self.by_ip.get(&ip)? {
            let life = self.pod(*at);
            let born = life.first_seen_ns.is_none_or(|ns| ns <= at_ns.saturating_add(WATCH_LAG_NS));
            if !born {
                continue;
            }
            // A pod that has gone keeps its address as a tombstone until another one gets it.
            let better = match found {
                None => true,
                Some(other) => {
                    let (other, this) = (self.pod(other), life);
                    match (other.gone_ns.is_some_and(|ns| ns <= at_ns), this.gone_ns.is_some_and(|ns| ns <= at_ns)) {
                        (true, false) => true,
                        (false, true) => false,
                        (true, true) => this.gone_ns > other.gone_ns,
                        (false, false) => return None,
                    }
                }
            };
            if better {
                found = Some(*at);
            }
        }
        found
    }

    /// The latest pod of that name which existed by then. Names of controllers' pods are never used again.
    pub fn named_by(&self, name: &str, by_ns: u64) -> Option<PodAt> {
        let existed = |life: &PodLife<'_>| life.first_seen_ns.is_none_or(|ns| ns <= by_ns.saturating_add(WATCH_LAG_NS));
        self.pods.iter().rposition(|life| life.name == name && existed(life)).map(|at| at as PodAt)
    }

    /// Endpoints of a Service.
    pub fn endpoints_of(&self, service: &str) -> Option<&EndpointHistory> {
        self.endpoints.get(service)
    }

    fn position(&mut self, uid: &'a str, name: &'a str) -> PodAt {
        if let Some(at) = self.by_uid.get(uid) {
            return *at;
        }
        let at = self.pods.len() as PodAt;
        self.pods.push(PodLife::new(uid, name));
        self.by_uid.insert(uid, at);
        at
    }
}
