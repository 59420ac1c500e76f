//! Choosing and deleting pods.

use std::str::FromStr;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt};
use rand::seq::IndexedRandom;

use super::{ActError, Actor};
use crate::cluster::names::hint;
use crate::load::monotonic_ns;

/// Which pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that was made first.
    Oldest,
    /// The one that was made last.
    Newest,
    /// Any.
    Random,
    /// By name.
    Name(String),
}

impl FromStr for Which {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "oldest" => Self::Oldest,
            "newest" => Self::Newest,
            "random" => Self::Random,
            name => Self::Name(name.to_owned()),
        })
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Oldest => "oldest",
            Self::Newest => "newest",
            Self::Random => "random",
            Self::Name(name) => name,
        })
    }
}

impl Actor {
    /// Pods of a Deployment that are not on their way out, oldest first. Labels alone do not tell: a canary beside it has its labels
    /// as well, so its own `ReplicaSet`s decide.
    pub async fn pods_of(&self, deployment: &str) -> Result<Vec<Pod>, ActError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get(deployment).await.map_err(ActError::api(format!("read deployment/{deployment}")))?;
        let uid = found.uid();
        let labels = found.spec.map(|spec| spec.selector).unwrap_or_default();
        let selector: Vec<String> =
            labels.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
        let selected = ListParams::default().labels(&selector.join(","));
        let failed = || ActError::api(format!("list the pods of deployment/{deployment}"));
        let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let sets = sets.list_metadata(&selected).await.map_err(failed())?;
        let own = sets.items.iter().filter(|set| controller(*set) == uid.as_deref());
        let own: Vec<String> = own.filter_map(ResourceExt::uid).collect();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = pods.list(&selected).await.map_err(failed())?;
        let mut pods: Vec<Pod> = list
            .items
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter(|pod| controller(pod).is_some_and(|uid| own.iter().any(|set| set == uid)))
            .collect();
        pods.sort_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
        Ok(pods)
    }

    /// Chooses one of them.
    pub async fn choose(&self, deployment: &str, which: &Which) -> Result<Pod, ActError> {
        let pods = self.pods_of(deployment).await?;
        let chosen = match which {
            Which::Oldest => pods.first(),
            Which::Newest => pods.last(),
            Which::Random => pods.choose(&mut rand::rng()),
            Which::Name(name) => pods.iter().find(|pod| pod.name_any() == *name),
        };
        chosen.cloned().ok_or_else(|| {
            let names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
            let wanted = which.to_string();
            ActError::Unfit {
                what: format!("deployment/{deployment} has no pod `{wanted}`: {}", hint(&wanted, &names)),
                fix: format!("see `kubectl get pods -n {}`, or use --pod oldest", self.namespace),
            }
        })
    }

    /// Deletes a pod: exactly this one, not another that came by its name.
    pub async fn delete(&self, pod: &Pod, grace_s: Option<u32>) -> Result<(), ActError> {
        let name = pod.name_any();
        let params = DeleteParams {
            grace_period_seconds: grace_s,
            preconditions: Some(Preconditions { uid: pod.uid(), ..Preconditions::default() }),
            ..DeleteParams::default()
        };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let requested_ns = monotonic_ns();
        api.delete(&name, &params).await.map_err(ActError::api(format!("delete pod/{name}")))?;
        let detail = match grace_s {
            Some(0) => "forced: grace 0 s".to_owned(),
            Some(grace) => format!("grace {grace} s"),
            None => "the pod's own grace".to_owned(),
        };
        self.timeline.action("delete_pod", &format!("pod/{name}"), pod.uid(), requested_ns, detail);
        Ok(())
    }

    /// Waits until a Deployment has all its pods, each of them ready. Pods on their way out do not count.
    pub async fn wait_ready(&self, deployment: &str, timeout: Duration) -> Result<(), ActError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let started = tokio::time::Instant::now();
        loop {
            let object = api.get(deployment).await.map_err(ActError::api(format!("read deployment/{deployment}")))?;
            let wanted = object.spec.and_then(|spec| spec.replicas).unwrap_or(1);
            let ready = self.pods_of(deployment).await?.iter().filter(|pod| is_ready(pod)).count();
            if i32::try_from(ready).is_ok_and(|ready| ready >= wanted) {
                return Ok(());
            }
            if started.elapsed() > timeout {
                return Err(ActError::TimedOut {
                    what: format!("deployment/{deployment} is not whole again"),
                    waited_s: started.elapsed().as_secs_f64(),
                    state: format!("{ready} of {wanted} pods are ready"),
                    fix: format!("see `kubectl describe deployment -n {} {deployment}`", self.namespace),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until none of these pods is left in the API.
    pub async fn wait_gone(&self, uids: &[String], timeout: Duration) -> Result<(), ActError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let started = tokio::time::Instant::now();
        loop {
            let list = api.list_metadata(&ListParams::default()).await.map_err(ActError::api("list pods"))?;
            let left: Vec<String> = list
                .items
                .iter()
                .filter(|pod| pod.uid().is_some_and(|uid| uids.contains(&uid)))
                .map(ResourceExt::name_any)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() > timeout {
                return Err(ActError::TimedOut {
                    what: "pods are still there".into(),
                    waited_s: started.elapsed().as_secs_f64(),
                    state: left.join(", "),
                    fix: format!("see `kubectl describe pod -n {} {}`", self.namespace, left.join(" ")),
                });
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// UID of what made it and keeps it.
pub(super) fn controller<K: ResourceExt>(object: &K) -> Option<&str> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
