//! Deployments: how many replicas are wanted, and by whom.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::Value;

use super::Lens;
use crate::raw::Subject;
use crate::raw::scaling::DeploymentState;

pub struct Deployments;

impl Lens for Deployments {
    type Object = Deployment;
    const NAME: &'static str = "deployments";

    fn applied(&mut self, deployment: &Deployment, _listed: bool) -> Option<Subject> {
        Some(Subject::Deployment(state(deployment)))
    }

    fn deleted(&mut self, deployment: &Deployment) -> Option<Subject> {
        Some(Subject::Deployment(DeploymentState { deleted: true, ..state(deployment) }))
    }
}

fn state(deployment: &Deployment) -> DeploymentState {
    let object = serde_json::to_value(deployment).unwrap_or_default();
    let small = |path: &str| object.pointer(path).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
    let selector = object.pointer("/spec/selector/matchLabels").cloned().unwrap_or_default();
    DeploymentState {
        name: deployment.name_any(),
        uid: deployment.uid().unwrap_or_default(),
        replicas: small("/spec/replicas").unwrap_or(1),
        ready: small("/status/readyReplicas").unwrap_or_default(),
        replicas_by: replicas_by(&object),
        selector: serde_json::from_value(selector).unwrap_or_default(),
        deleted: false,
    }
}

/// Whoever changed `spec.replicas` last owns that field.
fn replicas_by(object: &Value) -> Option<String> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let owner = entries.iter().find(|entry| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some())?;
    let manager = owner["manager"].as_str()?;
    Some(match owner["subresource"].as_str() {
        Some(subresource) => format!("{manager} ({subresource})"),
        None => manager.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_owner_of_replicas_is_told_with_its_subresource() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "d", "uid": "u", "managedFields": [
                {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": "kube-controller-manager", "operation": "Update", "subresource": "scale",
                    "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
            "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "d"}}, "template": {}},
        }))
        .unwrap();
        let state = state(&deployment);
        assert_eq!(state.replicas_by.as_deref(), Some("kube-controller-manager (scale)"));
        assert_eq!((state.replicas, state.selector["app"].as_str()), (4, "d"));
    }
}
