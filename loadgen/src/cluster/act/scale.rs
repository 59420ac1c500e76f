//! Changing a Deployment's number of replicas, and looking at who else does.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{ActError, Actor};
use crate::cluster::names::hint;
use crate::cluster::watch::autoscalers::state;
use crate::load::monotonic_ns;
use crate::raw::scaling::AutoscalerState;

/// A Deployment's replicas at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// UID of the Deployment.
    pub uid: String,
    /// `spec.replicas`.
    pub replicas: i32,
}

/// What brings an autoscaler.
const STEP_9: &str = "`kubectl apply -k k8s/lab/step9` brings the lab's three";

impl Actor {
    /// Reads the number of replicas. `None`: there is no such Deployment.
    pub async fn replicas(&self, deployment: &str) -> Result<Option<Replicas>, ActError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get_opt(deployment).await.map_err(ActError::api(format!("read deployment/{deployment}")))?;
        Ok(found.map(|found| Replicas {
            uid: found.uid().unwrap_or_default(),
            replicas: found.spec.and_then(|spec| spec.replicas).unwrap_or(1),
        }))
    }

    /// What `kubectl scale` does. `name` is what the time line calls it.
    pub async fn scale(&self, deployment: &str, replicas: i32, name: &str) -> Result<(), ActError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = json!({"spec": {"replicas": replicas}});
        let requested_ns = monotonic_ns();
        let scale = api
            .patch_scale(deployment, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(ActError::api(format!("scale deployment/{deployment}")))?;
        let target = format!("deployment/{deployment}");
        self.timeline.action(name, &target, scale.metadata.uid, requested_ns, format!("to {replicas} replicas"));
        Ok(())
    }

    /// All autoscalers of the namespace.
    pub async fn autoscalers(&self) -> Result<Vec<AutoscalerState>, ActError> {
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = api.list(&ListParams::default()).await.map_err(ActError::api("list horizontalpodautoscalers"))?;
        Ok(list.items.iter().map(state).collect())
    }

    /// One of them; its error names those that there are.
    pub async fn autoscaler(&self, name: &str) -> Result<AutoscalerState, ActError> {
        let all = self.autoscalers().await?;
        if let Some(found) = all.iter().find(|autoscaler| autoscaler.name == name) {
            return Ok(found.clone());
        }
        let names: Vec<String> = all.into_iter().map(|autoscaler| autoscaler.name).collect();
        let fix = if names.is_empty() { STEP_9.to_owned() } else { format!("name another with --hpa; {STEP_9}") };
        Err(ActError::Unfit {
            what: format!("namespace {} has no autoscaler `{name}`: {}", self.namespace, hint(name, &names)),
            fix,
        })
    }
}
