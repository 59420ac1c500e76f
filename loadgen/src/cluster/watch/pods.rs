//! Pods.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::Lens;
use crate::raw::{ContainerState, Subject};

pub struct Pods;

impl Lens for Pods {
    type Object = Pod;
    const NAME: &'static str = "pods";

    fn applied(&mut self, pod: &Pod, _listed: bool) -> Option<Subject> {
        Some(subject(pod, false))
    }

    fn deleted(&mut self, pod: &Pod) -> Option<Subject> {
        Some(subject(pod, true))
    }
}

fn subject(pod: &Pod, deleted: bool) -> Subject {
    let status = pod.status.as_ref();
    let label = |name: &str| pod.labels().get(name).cloned();
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    Subject::Pod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        ip: status.and_then(|status| status.pod_ip.as_ref()).and_then(|ip| ip.parse().ok()),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        ready: conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        deleted,
        owner: owner(pod),
        revision: label("pod-template-hash"),
        version: label("version"),
        app: label("app"),
        containers: status
            .and_then(|status| status.container_statuses.as_ref())
            .into_iter()
            .flatten()
            .map(container)
            .collect(),
    }
}

fn owner(pod: &Pod) -> Option<String> {
    let owner = pod.owner_references().iter().find(|owner| owner.controller == Some(true))?;
    Some(format!("{}/{}", owner.kind.to_lowercase(), owner.name))
}

fn container(status: &ContainerStatus) -> ContainerState {
    let state = status.state.clone().unwrap_or_default();
    let state = if state.running.is_some() {
        "running".to_owned()
    } else if let Some(waiting) = state.waiting {
        format!("waiting:{}", waiting.reason.unwrap_or_default())
    } else if let Some(ended) = state.terminated {
        format!("terminated:{}:{}", ended.reason.unwrap_or_default(), ended.exit_code)
    } else {
        "unknown".to_owned()
    };
    ContainerState { name: status.name.clone(), image: status.image.clone(), state, restarts: status.restart_count }
}
