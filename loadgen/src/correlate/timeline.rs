//! The time line for people: differences between states, not states.

use std::collections::{BTreeMap, HashMap};

use super::clock::{WallClock, ms_between};
use super::timeline_scaling::{autoscaler_changes, replicas_change};
use crate::raw::scaling::{AutoscalerState, DeploymentState};
use crate::raw::{ContainerState, Endpoint, RunFile, Subject, TimelineEntry};
use crate::report::schema::TimelineItem;

/// Everything that changed, in order of time. Equal events about one object are one item with their count.
pub fn items(timeline: &[&TimelineEntry], run: &RunFile, clock: WallClock) -> Vec<TimelineItem> {
    let mut writer = Writer { run, clock, items: Vec::new(), events: HashMap::new() };
    let mut pods: HashMap<&str, PodState<'_>> = HashMap::new();
    let mut endpoints: HashMap<&str, &[Endpoint]> = HashMap::new();
    let mut replicas: HashMap<&str, i32> = HashMap::new();
    let mut autoscalers: HashMap<&str, &AutoscalerState> = HashMap::new();
    let mut deployments: HashMap<&str, &DeploymentState> = HashMap::new();
    for entry in timeline {
        let at_ns = entry.at_ns;
        match &entry.subject {
            Subject::Action { name, target, requested_ns, detail, .. } => {
                let fields = [("answered_after_ms", format!("{:.1}", ms_between(*requested_ns, at_ns)))];
                let what = if detail.is_empty() { name.clone() } else { detail.clone() };
                writer.add(*requested_ns, name, target, what, "action", &fields);
            }
            Subject::Pod { name, uid, ready, terminating, deleted, containers, node, .. } => {
                let object = format!("pod/{name}");
                let now = PodState { ready: *ready, terminating: *terminating, deleted: *deleted, containers };
                let before = pods.insert(uid, now);
                let node = node.as_deref().map(|node| ("node", node.to_owned()));
                for (kind, what) in pod_changes(before.as_ref(), &now) {
                    writer.add(at_ns, kind, &object, what, "kubernetes", node.as_slice());
                }
            }
            Subject::Endpoints { service, endpoints: now } => {
                let before = endpoints.insert(service, now);
                let ready = now.iter().filter(|endpoint| endpoint.ready).count();
                for (kind, endpoint) in endpoint_changes(before, now) {
                    let pod = endpoint.pod.clone().unwrap_or_else(|| endpoint.ip.to_string());
                    let verb = if kind == "endpoint_added" { "added to" } else { "taken out of" };
                    let what = format!("{verb} Service {service}; {ready} ready now");
                    writer.add(at_ns, kind, &format!("pod/{pod}"), what, "kubernetes", &[("service", service.clone())]);
                }
            }
            Subject::ReplicaSet { name, desired, image, revision, .. } => {
                let before = replicas.insert(name, *desired);
                if let Some(before) = before.filter(|before| before != desired) {
                    let mut fields = Vec::new();
                    fields.extend(image.as_ref().map(|image| ("image", image.clone())));
                    fields.extend(revision.as_ref().map(|revision| ("revision", revision.clone())));
                    let what = format!("scaled from {before} to {desired}");
                    writer.add(at_ns, "replicaset_scaled", &format!("replicaset/{name}"), what, "kubernetes", &fields);
                } else if before.is_none() && at_ns > run.started_ns && *desired > 0 {
                    let what = format!("new, wants {desired}");
                    writer.add(at_ns, "replicaset_scaled", &format!("replicaset/{name}"), what, "kubernetes", &[]);
                }
            }
            Subject::Event { reason, message, object, count, kind, .. } => {
                writer.event(at_ns, reason, object, message, *count, kind);
            }
            Subject::WatchGap { watch, detail } => {
                let what = format!("the watch failed, changes before this may be missing: {detail}");
                writer.add(at_ns, "watch_gap", watch, what, "kubernetes", &[]);
            }
            Subject::Autoscaler(now) => {
                for (kind, what) in autoscaler_changes(autoscalers.insert(now.uid.as_str(), now), now) {
                    writer.add(at_ns, kind, &format!("hpa/{}", now.name), what, "kubernetes", &[]);
                }
            }
            Subject::Deployment(now) => {
                if let Some(what) = replicas_change(deployments.insert(&now.uid, now), now) {
                    let object = format!("deployment/{}", now.name);
                    writer.add(at_ns, "replicas_set", &object, what, "kubernetes", &[]);
                }
            }
            Subject::Throttling { .. } | Subject::ScaledPod(_) | Subject::PodMetrics(_) => {}
        }
    }
    // Actions are told at their request, which lies before the entry itself.
    writer.items.sort_by_key(|item| item.at_ns);
    writer.items
}

struct Writer<'r> {
    run: &'r RunFile,
    clock: WallClock,
    items: Vec<TimelineItem>,
    /// Item of each (reason, object, message), and how often it has come without a count of its own.
    events: HashMap<(String, String, String), usize>,
}

impl Writer<'_> {
    fn add(&mut self, at_ns: u64, kind: &str, object: &str, what: String, source: &str, fields: &[(&str, String)]) {
        self.items.push(TimelineItem {
            at: self.clock.rfc3339(at_ns),
            at_ns,
            after_start_ms: ms_between(self.run.started_ns, at_ns),
            kind: kind.to_owned(),
            object: object.to_owned(),
            what,
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>(),
            source: source.to_owned(),
        });
    }

    fn event(&mut self, at_ns: u64, reason: &str, object: &str, message: &str, count: i32, kind: &str) {
        let key = (reason.to_owned(), object.to_owned(), message.to_owned());
        if let Some(at) = self.events.get(&key) {
            let fields = &mut self.items[*at].fields;
            let known: i32 = fields.get("count").and_then(|count| count.parse().ok()).unwrap_or(0);
            fields.insert("count".to_owned(), known.max(count).to_string());
            return;
        }
        self.events.insert(key, self.items.len());
        let fields = [("count", count.max(1).to_string()), ("type", kind.to_owned())];
        self.add(at_ns, reason, object, message.to_owned(), "kubernetes", &fields);
    }
}

#[derive(Clone, Copy)]
struct PodState<'a> {
    ready: bool,
    terminating: bool,
    deleted: bool,
    containers: &'a [ContainerState],
}

fn pod_changes(before: Option<&PodState<'_>>, now: &PodState<'_>) -> Vec<(&'static str, String)> {
    let mut changes = Vec::new();
    let was = |flag: fn(&PodState<'_>) -> bool| before.is_some_and(flag);
    match before {
        None if !now.deleted => {
            let state = if now.ready { "there, and ready" } else { "created" };
            changes.push(("pod_seen", state.to_owned()));
        }
        _ => {
            if now.ready && !was(|pod| pod.ready) {
                changes.push(("pod_ready", "became ready".to_owned()));
            }
            if !now.ready && was(|pod| pod.ready) && !now.deleted {
                changes.push(("pod_not_ready", "is no longer ready".to_owned()));
            }
        }
    }
    if now.terminating && !was(|pod| pod.terminating) {
        changes.push(("pod_terminating", "has a deletion time stamp".to_owned()));
    }
    for container in now.containers {
        let same = |other: &&ContainerState| other.name == container.name;
        let old = before.and_then(|before| before.containers.iter().find(same));
        if old.is_some_and(|old| container.restarts > old.restarts) {
            let what = format!("container {} restarted ({} so far)", container.name, container.restarts);
            changes.push(("container_restarted", what));
        }
        if container.state.starts_with("terminated") && old.is_none_or(|old| old.state != container.state) {
            changes.push(("container_ended", format!("container {} {}", container.name, container.state)));
        }
    }
    if now.deleted && !was(|pod| pod.deleted) {
        changes.push(("pod_gone", "is gone".to_owned()));
    }
    changes
}

fn endpoint_changes<'a>(before: Option<&'a [Endpoint]>, now: &'a [Endpoint]) -> Vec<(&'static str, &'a Endpoint)> {
    let ready_in = |list: &[Endpoint], wanted: &Endpoint| {
        list.iter().any(|endpoint| endpoint.ready && endpoint.ip == wanted.ip && endpoint.uid == wanted.uid)
    };
    let Some(before) = before else { return Vec::new() };
    let removed = before.iter().filter(|endpoint| endpoint.ready && !ready_in(now, endpoint));
    let added = now.iter().filter(|endpoint| endpoint.ready && !ready_in(before, endpoint));
    removed
        .map(|endpoint| ("endpoint_removed", endpoint))
        .chain(added.map(|endpoint| ("endpoint_added", endpoint)))
        .collect()
}
