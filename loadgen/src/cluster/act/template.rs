//! Changing a Deployment's pod template, and reading it for putting it back.
//!
//! Templates are handled as plain JSON: a typed copy would drop fields that this build does not know, and putting it
//! back would then change the cluster.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{ActError, Actor};
use crate::load::monotonic_ns;

/// Writers that may get between our reading and writing before we give up.
const CONFLICTS: u32 = 5;

/// A Deployment's pod template at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// UID of the Deployment.
    pub uid: String,
    /// `spec.template`.
    pub value: Value,
    /// `spec.paused`: a change makes no rollout.
    pub paused: bool,
}

impl Actor {
    fn raw_deployments(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<Deployment>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Reads the template.
    pub async fn template(&self, deployment: &str) -> Result<Template, ActError> {
        let object = self
            .raw_deployments()
            .get(deployment)
            .await
            .map_err(ActError::api(format!("read deployment/{deployment}")))?;
        let value = object.data.pointer("/spec/template").cloned().unwrap_or_default();
        let paused = object.data.pointer("/spec/paused").and_then(Value::as_bool).unwrap_or(false);
        Ok(Template { uid: object.uid().unwrap_or_default(), value, paused })
    }

    /// Changes the template as `change` says. `Ok(false)`: it is that way already, nothing was sent.
    pub async fn change_template(
        &self,
        deployment: &str,
        name: &str,
        detail: &str,
        change: impl Fn(&mut Value),
    ) -> Result<bool, ActError> {
        let api = self.raw_deployments();
        let what = format!("change the pod template of deployment/{deployment}");
        for attempt in 1.. {
            let mut object = api.get(deployment).await.map_err(ActError::api(what.clone()))?;
            let Some(template) = object.data.pointer_mut("/spec/template") else { return Ok(false) };
            let before = template.clone();
            change(template);
            if *template == before {
                return Ok(false);
            }
            // The resource version that was read travels along: whoever changed the object in between is not undone.
            let requested_ns = monotonic_ns();
            match api.replace(deployment, &PostParams::default(), &object).await {
                Ok(_) => {
                    let target = format!("deployment/{deployment}");
                    self.timeline.action(name, &target, object.uid(), requested_ns, detail);
                    return Ok(true);
                }
                Err(kube::Error::Api(status)) if status.code == 409 && attempt < CONFLICTS => {}
                Err(error) => return Err(ActError::api(what.clone())(error)),
            }
        }
        Ok(false)
    }

    /// Sends a strategic merge patch, as `kubectl patch --type strategic` does.
    pub async fn patch_template(&self, deployment: &str, patch: &Value) -> Result<(), ActError> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let requested_ns = monotonic_ns();
        let object = api
            .patch(deployment, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .map_err(ActError::api(format!("change the pod template of deployment/{deployment}")))?;
        let target = format!("deployment/{deployment}");
        self.timeline.action("patch_template", &target, object.uid(), requested_ns, patch.to_string());
        Ok(())
    }

    /// What `kubectl rollout restart` does.
    pub async fn restart(&self, deployment: &str) -> Result<(), ActError> {
        let now = jiff::Timestamp::now().to_string();
        let patch = json!({"spec": {"template": {"metadata": {"annotations": {
            "kubectl.kubernetes.io/restartedAt": now,
        }}}}});
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let requested_ns = monotonic_ns();
        let object = api
            .patch(deployment, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(ActError::api(format!("restart deployment/{deployment}")))?;
        self.timeline.action(
            "restart_deployment",
            &format!("deployment/{deployment}"),
            object.uid(),
            requested_ns,
            "like kubectl rollout restart",
        );
        Ok(())
    }
}

/// Sets the image of the first container.
pub fn set_image(template: &mut Value, image: &str) {
    if let Some(container) = template.pointer_mut("/spec/containers/0").and_then(Value::as_object_mut) {
        container.insert("image".to_owned(), json!(image));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_containers_image_changes() {
        let mut template =
            json!({"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]}});
        set_image(&mut template, "x:2");
        assert_eq!(
            template,
            json!({"spec": {"containers": [{"name": "a", "image": "x:2"}, {"name": "b", "image": "y:1"}]}})
        );
    }
}
