//! An experiment with a change under it: prepared, changed, settled, and then the same as without.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;

use super::{Doing, Experiment, Lab};
use crate::cluster::Target;
use crate::cluster::preflight::Permission;
use crate::report::fix::FixChange;

/// The experiment, and the changes.
pub struct WithFix<'e> {
    /// What is done, with and without.
    pub experiment: &'e dyn Experiment,
    /// What is changed before the load begins, and put back at the end.
    pub changes: Vec<FixChange>,
    /// For the change to settle.
    pub patience: Duration,
}

impl Experiment for WithFix<'_> {
    fn name(&self) -> &'static str {
        self.experiment.name()
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = self.experiment.settings();
        let patches: Vec<&str> = self.changes.iter().map(|change| change.kubectl.as_str()).collect();
        settings.insert("fix".to_owned(), patches.join("; "));
        let acted_on = settings.get("deployment");
        let hook = self.changes.iter().find(|change| match acted_on {
            Some(deployment) => change.deployment == *deployment,
            None => change.role == "upstream",
        });
        if let Some(change) = hook {
            settings.insert("prestop".to_owned(), format!("sleep:{}", change.sleep_s));
        }
        settings
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        let mut all = self.experiment.permissions(target);
        for verb in ["patch", "update"] {
            let needed = Permission::new(verb, "apps", "deployments", "", Some(&target.namespace));
            if !all.contains(&needed) {
                all.push(needed);
            }
        }
        all
    }

    fn at_most(&self) -> Option<Duration> {
        // Each pod takes that much longer to go.
        let longer = Duration::from_secs(self.changes.iter().map(|change| change.sleep_s).sum());
        self.experiment.at_most().map(|most| most + longer)
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            // A hook that the experiment itself sets must not come on top of the change.
            self.experiment.prepare(lab).await?;
            let mut old = Vec::new();
            for change in &self.changes {
                let pods = lab.actor.pods_of(&change.deployment).await?;
                old.extend(pods.iter().filter_map(ResourceExt::uid));
                lab.narrator.step(&change.kubectl);
                lab.patch_template(&change.deployment, &change.patch).await?;
            }
            lab.narrator.step("waiting until the change has settled");
            for change in &self.changes {
                lab.actor.wait_rollout(&change.deployment, self.patience).await?;
            }
            lab.wait_forgotten(&old, self.patience).await
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move { self.experiment.drive(lab).await })
    }
}
