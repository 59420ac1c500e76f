//! Waiting for a rollout, by the same rules as `kubectl rollout status`.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::{ActError, Actor};
use crate::load::monotonic_ns;

/// From one look at the pods to the next.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// An image that could not be pulled for so long will not come: the kubelet has tried three or four times by then.
const IMAGE_PATIENCE: Duration = Duration::from_secs(60);
/// The kubelet's words for a container that waits for its image in vain.
const WITHOUT_IMAGE: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"];

/// How a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every pod is of the new template and available.
    Complete,
    /// Not yet, in words.
    Waiting(String),
    /// The Deployment's own deadline has passed.
    Stuck(String),
}

/// Judges a Deployment.
pub fn progress(deployment: &Deployment) -> Progress {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    if status.observed_generation < deployment.metadata.generation {
        return Progress::Waiting("the controller has not seen the change yet".into());
    }
    let deadline = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    });
    if let Some(condition) = deadline {
        return Progress::Stuck(condition.message.clone().unwrap_or_default());
    }
    let (updated, all) = (status.updated_replicas.unwrap_or(0), status.replicas.unwrap_or(0));
    let available = status.available_replicas.unwrap_or(0);
    if updated < wanted {
        Progress::Waiting(format!("{updated} of {wanted} pods are new"))
    } else if all > updated {
        Progress::Waiting(format!("{} old pods are left", all - updated))
    } else if available < updated {
        Progress::Waiting(format!("{available} of {updated} new pods are available"))
    } else {
        Progress::Complete
    }
}

impl Actor {
    /// Waits until the rollout is complete.
    pub async fn wait_rollout(&self, deployment: &str, timeout: Duration) -> Result<(), ActError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let started = tokio::time::Instant::now();
        let (mut looked, mut image_missing_since) = (started, None);
        loop {
            let requested_ns = monotonic_ns();
            let object = api.get(deployment).await.map_err(ActError::api(format!("read deployment/{deployment}")))?;
            let state = match progress(&object) {
                Progress::Complete => {
                    self.timeline.action(
                        "wait",
                        &format!("deployment/{deployment}"),
                        object.uid(),
                        requested_ns,
                        format!("the rollout is complete after {:.1} s", started.elapsed().as_secs_f64()),
                    );
                    return Ok(());
                }
                Progress::Stuck(message) => return Err(self.stuck(deployment, started, message).await),
                Progress::Waiting(state) => state,
            };
            if started.elapsed() > timeout {
                return Err(self.stuck(deployment, started, state).await);
            }
            if looked.elapsed() > LOOK_EVERY {
                looked = tokio::time::Instant::now();
                let missing = self.pods_of(deployment).await.unwrap_or_default().iter().any(lacks_image);
                let since = missing.then(|| *image_missing_since.get_or_insert(looked));
                if since.is_some_and(|since| since.elapsed() > IMAGE_PATIENCE) {
                    return Err(self.stuck(deployment, started, state).await);
                }
                image_missing_since = since;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn stuck(&self, deployment: &str, started: tokio::time::Instant, state: String) -> ActError {
        let pods = self.pods_of(deployment).await.unwrap_or_default();
        let why: Vec<String> = pods.iter().filter_map(not_ready).collect();
        let state = if why.is_empty() { state } else { format!("{state}; {}", why.join("; ")) };
        let fix = if pods.iter().any(lacks_image) {
            "name an image that the cluster has or can pull; a local one is loaded with `minikube image load IMAGE` or `kind load docker-image IMAGE`".to_owned()
        } else {
            format!(
                "see `kubectl describe deployment -n {} {deployment}`; a slow cluster needs a longer --rollout-timeout",
                self.namespace
            )
        };
        ActError::TimedOut {
            what: format!("the rollout of deployment/{deployment} is not complete"),
            waited_s: started.elapsed().as_secs_f64(),
            state,
            fix,
        }
    }
}

/// Why a pod is not ready, when it is not.
fn not_ready(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let conditions = status.conditions.iter().flatten();
    let failing: Vec<_> = conditions.filter(|c| c.status != "True" && c.message.is_some()).collect();
    let reason = waiting_for(pod)
        .map(str::to_owned)
        .or_else(|| failing.first().and_then(|condition| condition.message.clone()))?;
    Some(format!("pod/{}: {reason}", pod.name_any()))
}

/// Why the kubelet has not started one of its containers.
fn waiting_for(pod: &Pod) -> Option<&str> {
    let mut containers = pod.status.as_ref()?.container_statuses.iter().flatten();
    containers.find_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref())
}

fn lacks_image(pod: &Pod) -> bool {
    waiting_for(pod).is_some_and(|reason| WITHOUT_IMAGE.contains(&reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn deployment(status: &serde_json::Value) -> Deployment {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "d", "generation": 2},
            "spec": {"replicas": 3, "selector": {}, "template": {}},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn complete_only_when_seen_new_alone_and_available() {
        let judge = |status| progress(&deployment(&status));
        let json = |generation: i64, all: i32, updated: i32, available: i32| {
            serde_json::json!({"observedGeneration": generation, "replicas": all, "updatedReplicas": updated,
                "availableReplicas": available})
        };
        assert!(matches!(judge(json(1, 3, 3, 3)), Progress::Waiting(w) if w.contains("not seen")));
        assert!(matches!(judge(json(2, 3, 2, 3)), Progress::Waiting(w) if w.contains("2 of 3")));
        assert!(matches!(judge(json(2, 4, 3, 3)), Progress::Waiting(w) if w.contains("1 old")));
        assert!(matches!(judge(json(2, 3, 3, 2)), Progress::Waiting(w) if w.contains("available")));
        assert_eq!(judge(json(2, 3, 3, 3)), Progress::Complete);
    }

    #[test]
    fn the_deployments_own_deadline_ends_the_wait() {
        let status = serde_json::json!({"observedGeneration": 2, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}]});
        assert_eq!(progress(&deployment(&status)), Progress::Stuck("m".into()));
    }
}
