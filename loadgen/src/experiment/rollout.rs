//! Q10.1–10.3: a rolling update while requests come in, with or without a preStop hook that works.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;
use serde_json::Value;

use super::{Doing, Experiment, ExperimentError, Lab};
use crate::cluster::Target;
use crate::cluster::act::template::set_image;
use crate::cluster::act::{ActError, PreStop};
use crate::cluster::preflight::Permission;

/// Rolls a Deployment.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// This Deployment.
    pub deployment: String,
    /// To this image; `None`: a restart, like `kubectl rollout restart`.
    pub image: Option<String>,
    /// With this hook in the pods that are replaced; `None`: as they are.
    pub prestop: Option<PreStop>,
    /// Load before.
    pub before: Duration,
    /// Load after the last old pod is gone: stale NAT entries show late.
    pub settle: Duration,
    /// For the rollout.
    pub patience: Duration,
}

impl Experiment for Rollout {
    fn name(&self) -> &'static str {
        "rollout"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::from([
            ("deployment".to_owned(), self.deployment.clone()),
            ("update".to_owned(), self.image.clone().unwrap_or_else(|| "restart".to_owned())),
            ("before_s".to_owned(), self.before.as_secs_f64().to_string()),
            ("settle_s".to_owned(), self.settle.as_secs_f64().to_string()),
        ]);
        if let Some(hook) = &self.prestop {
            settings.insert("prestop".to_owned(), hook.to_string());
        }
        settings
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        let verbs: &[&str] =
            if self.image.is_some() || self.prestop.is_some() { &["patch", "update"] } else { &["patch"] };
        verbs.iter().map(|verb| Permission::new(verb, "apps", "deployments", "", Some(&target.namespace))).collect()
    }

    fn at_most(&self) -> Option<Duration> {
        Some(self.before + self.patience * 2 + self.settle + Duration::from_secs(5))
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            if lab.actor.template(&self.deployment).await?.paused {
                return Err(ActError::Unfit {
                    what: format!("deployment/{} is paused: a change would start no rollout", self.deployment),
                    fix: format!("`kubectl rollout resume -n {} deployment/{}`", lab.target.namespace, self.deployment),
                }
                .into());
            }
            // A rollout that is under way already would be mixed with ours.
            lab.actor.wait_rollout(&self.deployment, self.patience).await?;
            let Some(hook) = &self.prestop else { return Ok(()) };
            let old = self.pods(lab).await?;
            let put = |template: &mut Value| hook.put_into(template);
            let detail = format!("preStop {hook}");
            if lab.change_template(&self.deployment, "patch_template", &detail, put).await? {
                lab.narrator
                    .step(&format!("deployment/{} gets preStop {hook}; waiting until it has settled", self.deployment));
                lab.actor.wait_rollout(&self.deployment, self.patience).await?;
                lab.wait_forgotten(&old, self.patience).await?;
            }
            Ok(())
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            tokio::time::sleep(self.before).await;
            self.roll(lab).await?;
            self.watch_late_failures(lab).await;
            Ok(())
        })
    }
}

impl Rollout {
    /// Rolls, and waits until no old pod is left.
    pub(super) async fn roll(&self, lab: &Lab) -> Result<(), ExperimentError> {
        let old = self.pods(lab).await?;
        match &self.image {
            None => {
                lab.narrator.step(&format!("restarting deployment/{}", self.deployment));
                lab.restart(&self.deployment).await?;
            }
            Some(image) => {
                lab.narrator.step(&format!("updating deployment/{} to {image}", self.deployment));
                let put = |template: &mut Value| set_image(template, image);
                lab.change_template(&self.deployment, "set_image", image, put).await?;
            }
        }
        lab.actor.wait_rollout(&self.deployment, self.patience).await?;
        lab.narrator
            .step(&format!("the rollout of deployment/{} is complete; waiting for its last old pods", self.deployment));
        Ok(lab.actor.wait_gone(&old, self.patience).await?)
    }

    /// After the last old pod.
    pub(super) async fn watch_late_failures(&self, lab: &Lab) {
        lab.narrator
            .step(&format!("the old pods are gone; watching {} s more for late failures", self.settle.as_secs_f64()));
        tokio::time::sleep(self.settle).await;
    }

    async fn pods(&self, lab: &Lab) -> Result<Vec<String>, ExperimentError> {
        Ok(lab.actor.pods_of(&self.deployment).await?.iter().filter_map(ResourceExt::uid).collect())
    }
}
