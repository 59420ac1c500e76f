//! Step 10.5: the update is taken back while requests come in, as `kubectl rollout undo` does it.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;

use super::rollout::Rollout;
use super::{Doing, Experiment, Lab};
use crate::cluster::Target;
use crate::cluster::act::ActError;
use crate::cluster::act::undo::Plan;
use crate::cluster::preflight::Permission;

/// Takes a Deployment back.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// Which one, and the times. Its image: update to that one before the load begins, so that there is something to undo.
    pub rollout: Rollout,
    /// To this revision; `None`: to the one before the latest.
    pub to_revision: Option<i64>,
}

impl Experiment for Rollback {
    fn name(&self) -> &'static str {
        "rollback"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = self.rollout.settings();
        let update = self.rollout.image.clone().unwrap_or_else(|| "none: the history as it was found".to_owned());
        settings.insert("update".to_owned(), update);
        let to = self.to_revision.map_or_else(|| "previous".to_owned(), |revision| revision.to_string());
        settings.insert("to_revision".to_owned(), to);
        settings
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        vec![Permission::new("patch", "apps", "deployments", "", Some(&target.namespace))]
    }

    fn at_most(&self) -> Option<Duration> {
        self.rollout.at_most()
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            let (deployment, patience) = (&self.rollout.deployment, self.rollout.patience);
            self.rollout.prepare(lab).await?;
            if let Some(image) = &self.rollout.image {
                let old: Vec<String> =
                    lab.actor.pods_of(deployment).await?.iter().filter_map(ResourceExt::uid).collect();
                lab.narrator.step(&format!("updating deployment/{deployment} to {image}, to have something to undo"));
                lab.update(deployment, image, &format!("Updated to {image}")).await?;
                lab.actor.wait_rollout(deployment, patience).await?;
                lab.wait_forgotten(&old, patience).await?;
            }
            // A history without that revision is told before a request is sent.
            match lab.actor.plan_undo(deployment, self.to_revision).await? {
                Plan::Patch { .. } => Ok(()),
                Plan::Skip { revision } => Err(ActError::Unfit {
                    what: format!(
                        "deployment/{deployment} already has the template of revision {revision}: an undo is skipped"
                    ),
                    fix: format!("see `kubectl rollout history -n {} deployment/{deployment}`", lab.target.namespace),
                }
                .into()),
            }
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            let (deployment, patience) = (&self.rollout.deployment, self.rollout.patience);
            tokio::time::sleep(self.rollout.before).await;
            let old: Vec<String> = lab.actor.pods_of(deployment).await?.iter().filter_map(ResourceExt::uid).collect();
            lab.narrator.step(&format!("rolling deployment/{deployment} back"));
            lab.undo(deployment, self.to_revision).await?;
            lab.actor.wait_rollout(deployment, patience).await?;
            lab.narrator.step("the rollback is complete; waiting for the last old pods to end");
            lab.actor.wait_gone(&old, patience).await?;
            self.rollout.watch_late_failures(lab).await;
            Ok(())
        })
    }
}
