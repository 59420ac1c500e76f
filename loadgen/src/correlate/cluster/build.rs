//! From time line entries to histories.

use std::collections::{HashMap, HashSet};

use super::{Cluster, EndpointState, Role};
use crate::raw::{ContainerState, Endpoint, RunConfig, Subject, TimelineEntry};

impl<'a> Cluster<'a> {
    /// Reads a time line, which must be in order of time.
    pub fn from_timeline(timeline: &[&'a TimelineEntry], config: &'a RunConfig) -> Self {
        let mut cluster = Self::default();
        let mut ready: HashMap<&str, HashSet<&'a str>> = HashMap::new();
        for entry in timeline {
            cluster.take_pod(entry);
            if let Subject::Endpoints { service, endpoints } = &entry.subject {
                let known = ready.entry(service).or_default();
                cluster.take_endpoints(entry.at_ns, service, endpoints, known, config);
            }
        }
        // Names are enough for actions and events, but only after all pods are known.
        for entry in timeline {
            cluster.take_action_or_event(entry);
        }
        let pods = timeline.iter().find(|entry| matches!(entry.subject, Subject::Pod { .. }));
        let gap = timeline.iter().any(|entry| matches!(entry.subject, Subject::WatchGap { .. }));
        cluster.watched = pods.filter(|_| !gap).map(|first| (config.namespace.as_str(), first.at_ns));
        cluster.roles_from_owners();
        cluster
    }

    fn take_pod(&mut self, entry: &'a TimelineEntry) {
        match &entry.subject {
            Subject::Pod {
                name,
                uid,
                ip,
                node,
                ready,
                terminating,
                deleted,
                owner,
                revision,
                version,
                containers,
                ..
            } => {
                let at = self.position(uid, name);
                let life = &mut self.pods[at as usize];
                life.first_seen_ns.get_or_insert(entry.at_ns);
                life.node = node.as_deref().or(life.node);
                life.owner = owner.as_deref().or(life.owner);
                life.revision = revision.as_deref().or(life.revision);
                life.version = version.as_deref().or(life.version);
                if life.ready.last().map(|(_, last)| *last) != Some(*ready) {
                    life.ready.push((entry.at_ns, *ready));
                }
                if *terminating {
                    life.terminating_ns.get_or_insert(entry.at_ns);
                }
                if *deleted {
                    life.gone_ns.get_or_insert(entry.at_ns);
                }
                take_containers(&mut life.container_ends, entry.at_ns, containers);
                let restarts: i32 = containers.iter().map(|container| container.restarts).sum();
                // A container that is back before the watch could show it as ended.
                if let Some((_, before)) = life.restarts
                    && restarts > before
                    && containers.iter().all(|container| container.state == "running")
                {
                    life.container_ends.push((entry.at_ns, format!("restarted, for the {restarts}. time")));
                }
                life.restarts = Some((life.restarts.map_or(restarts, |(first, _)| first), restarts));
                if let Some(ip) = ip
                    && life.ip.replace(*ip) != Some(*ip)
                {
                    self.by_ip.entry(*ip).or_default().push(at);
                }
            }
            Subject::Throttling { pod, uid, throttled_us, .. } => {
                let at = self.position(uid, pod);
                self.pods[at as usize].throttled_us.push((entry.at_ns, *throttled_us));
            }
            _ => {}
        }
    }

    fn take_endpoints(
        &mut self,
        at_ns: u64,
        service: &'a str,
        endpoints: &'a [Endpoint],
        known: &mut HashSet<&'a str>,
        config: &RunConfig,
    ) {
        let count = |wanted: fn(&Endpoint) -> bool| endpoints.iter().filter(|e| wanted(e)).count() as u32;
        self.endpoints.entry(service).or_default().push(EndpointState {
            at_ns,
            ready: count(|e| e.ready),
            draining: count(|e| !e.ready && e.serving && e.terminating),
        });
        let role = if service == config.gateway_service {
            Role::Gateway
        } else if service == config.upstream_service {
            Role::Upstream
        } else {
            return;
        };
        let mut now = HashSet::new();
        for endpoint in endpoints {
            let (Some(uid), Some(name)) = (&endpoint.uid, &endpoint.pod) else { continue };
            let at = self.position(uid, name);
            self.pods[at as usize].role = Some(role);
            if endpoint.ready {
                now.insert(uid.as_str());
            }
        }
        for (uid, is_ready) in known.difference(&now).map(|uid| (*uid, false)).chain(now.iter().map(|uid| (*uid, true)))
        {
            let changes = &mut self.pods[self.by_uid[uid] as usize].endpoint_ready;
            if changes.last().map(|(_, last)| *last) != Some(is_ready) {
                changes.push((at_ns, is_ready));
            }
        }
        *known = now;
    }

    fn take_action_or_event(&mut self, entry: &'a TimelineEntry) {
        match &entry.subject {
            Subject::Action { name, target, uid, requested_ns, .. } if name == "delete_pod" => {
                let target = target.strip_prefix("pod/").unwrap_or(target);
                if let Some(life) = self.by_uid_or_name(uid.as_deref(), target, entry.at_ns) {
                    life.deletion_requested_ns.get_or_insert(*requested_ns);
                }
            }
            Subject::Event { reason, message, object, uid, .. } if reason == "FailedPreStopHook" => {
                let name = object.rsplit('/').next().unwrap_or(object);
                if let Some(life) = self.by_uid_or_name(uid.as_deref(), name, entry.at_ns) {
                    life.hook_failed.get_or_insert((entry.at_ns, message));
                }
            }
            _ => {}
        }
    }

    /// By UID; by name only when there is no UID, and then the latest pod of that name which existed.
    fn by_uid_or_name(&mut self, uid: Option<&str>, name: &str, at_ns: u64) -> Option<&mut super::PodLife<'a>> {
        let at = match uid {
            Some(uid) => self.by_uid.get(uid).copied(),
            None => self.named_by(name, at_ns),
        };
        at.map(|at| &mut self.pods[at as usize])
    }

    /// A pod that never became ready is in no endpoint list; its sisters tell what it would have been.
    fn roles_from_owners(&mut self) {
        let roles: HashMap<&str, Role> = self.pods.iter().filter_map(|life| Some((life.owner?, life.role?))).collect();
        for life in &mut self.pods {
            life.role = life.role.or_else(|| roles.get(life.owner?).copied());
        }
    }
}

fn take_containers(ends: &mut Vec<(u64, String)>, at_ns: u64, containers: &[ContainerState]) {
    for container in containers {
        let how = format!("{} {}", container.name, container.state);
        let ended = container.state.starts_with("terminated") || container.state == "waiting:CrashLoopBackOff";
        if ended && ends.last().map(|(_, last)| last) != Some(&how) {
            ends.push((at_ns, how));
        }
    }
}
