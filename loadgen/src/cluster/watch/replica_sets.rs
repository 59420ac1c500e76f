//! `ReplicaSet`s: which revision has how many pods.

use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;

use super::Lens;
use crate::cluster::act::undo::CHANGE_CAUSE;
use crate::raw::Subject;

pub struct ReplicaSets;

impl Lens for ReplicaSets {
    type Object = ReplicaSet;
    const NAME: &'static str = "replica_sets";

    fn applied(&mut self, set: &ReplicaSet, _listed: bool) -> Option<Subject> {
        Some(subject(set))
    }

    fn deleted(&mut self, _set: &ReplicaSet) -> Option<Subject> {
        // An old revision beyond the history limit: it had no pods any more.
        None
    }
}

fn subject(set: &ReplicaSet) -> Subject {
    let owner = set.owner_references().iter().find(|owner| owner.controller == Some(true));
    let containers = set.spec.as_ref().and_then(|spec| spec.template.as_ref()).and_then(|t| t.spec.as_ref());
    Subject::ReplicaSet {
        name: set.name_any(),
        owner: owner.map(|owner| format!("{}/{}", owner.kind.to_lowercase(), owner.name)),
        revision: set.annotations().get("deployment.kubernetes.io/revision").cloned(),
        desired: set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default(),
        ready: set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default(),
        change_cause: set.annotations().get(CHANGE_CAUSE).cloned(),
        image: containers.and_then(|spec| spec.containers.first()).and_then(|container| container.image.clone()),
    }
}
