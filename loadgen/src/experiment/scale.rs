//! Lab steps 8.1 and 8.5: replicas are added and taken away again while requests come in.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;

use super::{Doing, Experiment, ExperimentError, Lab};
use crate::cluster::Target;
use crate::cluster::act::ActError;
use crate::cluster::preflight::Permission;

/// Scales a Deployment, and back.
#[derive(Clone, Debug)]
pub struct Scale {
    /// This Deployment.
    pub deployment: String,
    /// To that many replicas.
    pub to: i32,
    /// Load before.
    pub before: Duration,
    /// Load between the two changes, from the moment at which all pods are ready.
    pub hold: Duration,
    /// Load after the last pod is gone: stale NAT entries show late.
    pub settle: Duration,
    /// For pods to come and to go.
    pub patience: Duration,
}

impl Experiment for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("deployment".to_owned(), self.deployment.clone()),
            ("to".to_owned(), self.to.to_string()),
            ("before_s".to_owned(), self.before.as_secs_f64().to_string()),
            ("hold_s".to_owned(), self.hold.as_secs_f64().to_string()),
            ("settle_s".to_owned(), self.settle.as_secs_f64().to_string()),
        ])
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        let mut all = scaling_permissions(target);
        all.push(Permission::new("patch", "apps", "deployments", "scale", Some(&target.namespace)));
        all
    }

    fn watches_scaling(&self) -> bool {
        true
    }

    fn at_most(&self) -> Option<Duration> {
        Some(self.before + self.hold + self.patience * 3 + self.settle + Duration::from_secs(5))
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            let namespace = &lab.target.namespace;
            let target = format!("deployment/{}", self.deployment);
            if let Some(autoscaler) =
                lab.actor.autoscalers().await?.iter().find(|autoscaler| autoscaler.target == target)
            {
                return Err(ActError::Unfit {
                what: format!("hpa/{} governs {target}: it would undo what we do", autoscaler.name),
                fix: format!(
                    "watch it at work with `loadgen hpa --hpa {name}`, or remove it: `kubectl delete hpa {name} -n {namespace}`",
                    name = autoscaler.name
                ),
            }
            .into());
            }
            let now = lab.actor.replicas(&self.deployment).await?.map(|now| now.replicas);
            if now == Some(self.to) {
                return Err(ActError::Unfit {
                    what: format!("{target} has {} replicas already", self.to),
                    fix: "ask for another number with --to".to_owned(),
                }
                .into());
            }
            // A rollout that is under way already would be mixed with ours.
            Ok(lab.actor.wait_rollout(&self.deployment, self.patience).await?)
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            tokio::time::sleep(self.before).await;
            let Some(before) = lab.actor.replicas(&self.deployment).await? else { return Ok(()) };
            self.change(lab, before.replicas, self.to).await?;
            lab.narrator.step(&format!("{} replicas are ready; holding for {} s", self.to, self.hold.as_secs_f64()));
            tokio::time::sleep(self.hold).await;
            self.change(lab, self.to, before.replicas).await?;
            lab.narrator.step(&format!(
                "{} replicas again; watching {} s more for late failures",
                before.replicas,
                self.settle.as_secs_f64()
            ));
            tokio::time::sleep(self.settle).await;
            Ok(())
        })
    }
}

impl Scale {
    async fn change(&self, lab: &Lab, from: i32, to: i32) -> Result<(), ExperimentError> {
        lab.narrator.step(&format!("scaling deployment/{} from {from} to {to}", self.deployment));
        let old = self.pods(lab).await?;
        lab.scale(&self.deployment, to).await?;
        lab.actor.wait_rollout(&self.deployment, self.patience).await?;
        let left = self.pods(lab).await?;
        let gone: Vec<String> = old.into_iter().filter(|uid| !left.contains(uid)).collect();
        Ok(lab.actor.wait_gone(&gone, self.patience).await?)
    }

    async fn pods(&self, lab: &Lab) -> Result<Vec<String>, ExperimentError> {
        Ok(lab.actor.pods_of(&self.deployment).await?.iter().filter_map(ResourceExt::uid).collect())
    }
}

/// What watching the number of pods needs.
pub fn scaling_permissions(target: &Target) -> Vec<Permission> {
    let lab = |verb, group, resource| Permission::new(verb, group, resource, "", Some(&target.namespace));
    ["list", "watch"]
        .into_iter()
        .flat_map(|verb| [lab(verb, "autoscaling", "horizontalpodautoscalers"), lab(verb, "apps", "deployments")])
        .collect()
}
