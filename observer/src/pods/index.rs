//! Pods by UID, by address at a time, and by cgroup id. Pure: fed by the watch and the cgroup scan.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::interval::{Owners, TOMBSTONE_NS};
use crate::record::{PodRef, PodSource};

/// What the API server says of a pod, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodState {
    /// Name and UID.
    pub pod: PodRef,
    /// Its addresses; empty until it has some.
    pub ips: Vec<IpAddr>,
    /// It uses the node's own addresses, so an address does not name it.
    pub host_network: bool,
    /// All its containers have ended for good: its address may be handed out again although the object still exists.
    pub finished: bool,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<PodRef>,
    ips: Vec<IpAddr>,
    gone_ns: Option<u64>,
}

/// Cgroup ids are remembered this long after their directory is gone: events of its last sockets arrive later.
const CGROUP_TOMBSTONE_NS: u64 = TOMBSTONE_NS;

#[derive(Debug)]
struct Cgroup {
    uid: Arc<str>,
    gone_ns: Option<u64>,
}

/// Pods by every name that an event can carry.
#[derive(Debug, Default)]
pub struct PodIndex {
    pods: HashMap<Arc<str>, Entry>,
    addresses: HashMap<IpAddr, Owners>,
    cgroups: HashMap<u64, Cgroup>,
}

impl PodIndex {
    /// A pod was added or has changed, learned at `at_ns`.
    pub fn apply(&mut self, state: PodState, at_ns: u64) {
        let uid: Arc<str> = Arc::from(state.pod.uid.as_str());
        let holds = !state.host_network && !state.finished;
        let ips = if holds { state.ips } else { Vec::new() };
        let before = self.pods.get(&uid).map(|entry| entry.ips.clone()).unwrap_or_default();
        for ip in before.iter().filter(|ip| !ips.contains(ip)) {
            if let Some(owners) = self.addresses.get_mut(ip) {
                owners.release(&uid, at_ns);
            }
        }
        for ip in &ips {
            self.addresses.entry(*ip).or_default().hold(&uid, at_ns);
        }
        let entry = self.pods.entry(uid).or_insert_with(|| Entry {
            pod: Arc::new(state.pod.clone()),
            ips: Vec::new(),
            gone_ns: None,
        });
        entry.ips = ips;
        entry.gone_ns = None;
    }

    /// A pod is gone from the API, learned at `at_ns`. Everything about it stays as a tombstone.
    pub fn delete(&mut self, uid: &str, at_ns: u64) {
        let Some(entry) = self.pods.get_mut(uid) else { return };
        entry.gone_ns.get_or_insert(at_ns);
        for ip in std::mem::take(&mut entry.ips) {
            if let Some(owners) = self.addresses.get_mut(&ip) {
                owners.release(uid, at_ns);
            }
        }
    }

    /// A list was read anew: every pod that is not in it was deleted while nobody watched.
    pub fn retain(&mut self, listed: &std::collections::HashSet<String>, at_ns: u64) {
        let missed: Vec<Arc<str>> = self
            .pods
            .iter()
            .filter(|(uid, entry)| entry.gone_ns.is_none() && !listed.contains(&***uid))
            .map(|(uid, _)| Arc::clone(uid))
            .collect();
        for uid in missed {
            self.delete(&uid, at_ns);
        }
    }

    /// The result of a scan of the cgroup tree: every directory that belongs to a pod.
    pub fn cgroups(&mut self, found: &HashMap<u64, Arc<str>>, at_ns: u64) {
        for (id, cgroup) in &mut self.cgroups {
            if !found.contains_key(id) {
                cgroup.gone_ns.get_or_insert(at_ns);
            }
        }
        for (id, uid) in found {
            self.cgroups.insert(*id, Cgroup { uid: Arc::clone(uid), gone_ns: None });
        }
    }

    /// The pod UID of a cgroup, whether or not the API server has told us of that pod yet.
    pub fn uid_of_cgroup(&self, cgroup_id: u64) -> Option<&Arc<str>> {
        self.cgroups.get(&cgroup_id).map(|cgroup| &cgroup.uid)
    }

    /// A cgroup of this pod is, or was, among those that were scanned.
    pub fn has_cgroup_of(&self, uid: &str) -> bool {
        self.cgroups.values().any(|cgroup| &*cgroup.uid == uid)
    }

    /// A pod by UID, tombstones included.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<PodRef>> {
        self.pods.get(uid).map(|entry| &entry.pod)
    }

    /// The pod that owned an address at that time, tombstones included.
    pub fn by_address(&self, ip: IpAddr, at_ns: u64) -> Option<&Arc<PodRef>> {
        self.addresses.get(&ip)?.at(at_ns).and_then(|uid| self.by_uid(uid))
    }

    /// The pod of a socket: by its cgroup; by its address only when the cgroup is no pod's that we know of.
    pub fn of_socket(&self, cgroup_id: u64, ip: IpAddr, at_ns: u64) -> Option<(&Arc<PodRef>, PodSource)> {
        match self.uid_of_cgroup(cgroup_id) {
            // A cgroup cannot be mistaken: when it names a pod that the API has not shown yet, no address may overrule it.
            Some(uid) => self.by_uid(uid).map(|pod| (pod, PodSource::Cgroup)),
            None => self.by_address(ip, at_ns).map(|pod| (pod, PodSource::Address)),
        }
    }

    /// Forgets tombstones that have served their time; returns the UIDs that are gone for good.
    pub fn forget(&mut self, now_ns: u64) -> Vec<Arc<str>> {
        let over = |gone: Option<u64>, time: u64| gone.is_some_and(|gone| now_ns.saturating_sub(gone) > time);
        self.cgroups.retain(|_, cgroup| !over(cgroup.gone_ns, CGROUP_TOMBSTONE_NS));
        self.addresses.retain(|_, owners| {
            owners.forget(now_ns);
            !owners.is_empty()
        });
        let mut forgotten = Vec::new();
        self.pods.retain(|uid, entry| {
            let keep = !over(entry.gone_ns, 2 * TOMBSTONE_NS);
            if !keep {
                forgotten.push(Arc::clone(uid));
            }
            keep
        });
        forgotten
    }

    /// Pods that exist, and tombstones.
    pub fn len(&self) -> (usize, usize) {
        let gone = self.pods.values().filter(|entry| entry.gone_ns.is_some()).count();
        (self.pods.len() - gone, gone)
    }

    /// Cgroups that belong to pods, tombstones included.
    pub fn cgroup_count(&self) -> usize {
        self.cgroups.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn pod(name: &str, ip: Option<&str>) -> PodState {
        PodState {
            pod: PodRef { namespace: "lab".into(), name: name.into(), uid: format!("uid-{name}") },
            ips: ip.map(|ip| ip.parse().unwrap()).into_iter().collect(),
            host_network: false,
            finished: false,
        }
    }

    fn name(found: Option<&Arc<PodRef>>) -> Option<&str> {
        found.map(|pod| pod.name.as_str())
    }

    #[test]
    fn a_deleted_pod_keeps_its_past_and_its_successor_gets_the_present() {
        let ip: IpAddr = "10.244.0.7".parse().unwrap();
        let mut index = PodIndex::default();
        index.apply(pod("a", None), SECOND);
        index.apply(pod("a", Some("10.244.0.7")), 2 * SECOND);
        index.delete("uid-a", 10 * SECOND);
        index.apply(pod("b", Some("10.244.0.7")), 60 * SECOND);
        assert_eq!(name(index.by_address(ip, 5 * SECOND)), Some("a"));
        assert_eq!(name(index.by_address(ip, 30 * SECOND)), Some("a"));
        assert_eq!(name(index.by_address(ip, 61 * SECOND)), Some("b"));
        assert_eq!(name(index.by_uid("uid-a")), Some("a"));
    }

    #[test]
    fn a_finished_pod_gives_its_address_up_while_its_object_remains() {
        let ip: IpAddr = "10.244.0.7".parse().unwrap();
        let mut index = PodIndex::default();
        index.apply(pod("job", Some("10.244.0.7")), SECOND);
        index.apply(PodState { finished: true, ..pod("job", Some("10.244.0.7")) }, 5 * SECOND);
        index.apply(pod("web", Some("10.244.0.7")), 10 * SECOND);
        assert_eq!(name(index.by_address(ip, 11 * SECOND)), Some("web"));
    }

    #[test]
    fn a_host_network_pod_is_never_named_by_address() {
        let mut index = PodIndex::default();
        index.apply(PodState { host_network: true, ..pod("proxy", Some("192.168.49.2")) }, SECOND);
        assert_eq!(index.by_address("192.168.49.2".parse().unwrap(), 2 * SECOND), None);
    }

    #[test]
    fn a_known_cgroup_of_an_unknown_pod_is_not_overruled_by_an_address() {
        let ip: IpAddr = "10.244.0.7".parse().unwrap();
        let mut index = PodIndex::default();
        index.apply(pod("old", Some("10.244.0.7")), SECOND);
        index.delete("uid-old", 2 * SECOND);
        index.cgroups(&HashMap::from([(42, Arc::from("uid-new"))]), 3 * SECOND);
        assert_eq!(index.of_socket(42, ip, 4 * SECOND), None);
        index.apply(pod("new", Some("10.244.0.7")), 5 * SECOND);
        let (found, source) = index.of_socket(42, ip, 4 * SECOND).unwrap();
        assert_eq!((found.name.as_str(), source), ("new", PodSource::Cgroup));
    }

    #[test]
    fn a_cgroup_that_vanished_still_names_its_pod_for_a_while() {
        let mut index = PodIndex::default();
        index.apply(pod("a", None), SECOND);
        index.cgroups(&HashMap::from([(42, Arc::from("uid-a"))]), SECOND);
        index.cgroups(&HashMap::new(), 2 * SECOND);
        assert_eq!(name(index.uid_of_cgroup(42).and_then(|uid| index.by_uid(uid))), Some("a"));
        index.forget(2 * SECOND + CGROUP_TOMBSTONE_NS + 1);
        assert_eq!(index.uid_of_cgroup(42), None);
    }

    #[test]
    fn a_new_list_ends_the_pods_that_are_not_in_it() {
        let ip: IpAddr = "10.244.0.7".parse().unwrap();
        let mut index = PodIndex::default();
        index.apply(pod("a", Some("10.244.0.7")), SECOND);
        index.retain(&std::collections::HashSet::new(), 20 * SECOND);
        assert_eq!(index.len(), (0, 1));
        assert_eq!(index.by_address(ip, 20 * SECOND + TOMBSTONE_NS + 1), None);
        assert_eq!(index.forget(21 * SECOND + 2 * TOMBSTONE_NS).len(), 1);
    }
}
