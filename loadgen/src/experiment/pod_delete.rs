//! Q8.1: a pod is deleted while requests come in.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;

use super::{Experiment, ExperimentError, Lab};
use crate::cluster::Target;
use crate::cluster::act::Which;
use crate::cluster::preflight::Permission;

/// Deletes pods.
#[derive(Clone, Debug)]
pub struct PodDelete {
    /// Of this Deployment.
    pub deployment: String,
    /// Which of them.
    pub which: Which,
    /// Grace instead of the pod's own.
    pub grace_s: Option<u32>,
    /// How many, one after the other.
    pub repeat: u32,
    /// From one to the next.
    pub every: Duration,
    /// Load before the first.
    pub before: Duration,
    /// Load after the last is gone: stale NAT entries show late.
    pub settle: Duration,
    /// For pods to go and their replacements to be ready.
    pub patience: Duration,
}

impl Experiment for PodDelete {
    fn name(&self) -> &'static str {
        "pod-delete"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let grace = self.grace_s.map_or("the pod's own".to_owned(), |grace| format!("{grace} s"));
        BTreeMap::from([
            ("deployment".to_owned(), self.deployment.clone()),
            ("pod".to_owned(), self.which.to_string()),
            ("grace".to_owned(), grace),
            ("repeat".to_owned(), self.repeat.to_string()),
            ("every_s".to_owned(), self.every.as_secs_f64().to_string()),
            ("before_s".to_owned(), self.before.as_secs_f64().to_string()),
            ("settle_s".to_owned(), self.settle.as_secs_f64().to_string()),
        ])
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        vec![Permission::new("delete", "", "pods", "", Some(&target.namespace))]
    }

    fn at_most(&self) -> Option<Duration> {
        let deletions = self.every * self.repeat.saturating_sub(1);
        Some(self.before + deletions + self.patience * 2 + self.settle + Duration::from_secs(5))
    }

    async fn prepare(&self, lab: &Lab) -> Result<(), ExperimentError> {
        // A name that does not exist is told before a request is sent.
        lab.actor.choose(&self.deployment, &self.which).await?;
        Ok(())
    }

    async fn drive(&self, lab: &Lab) -> Result<(), ExperimentError> {
        tokio::time::sleep(self.before).await;
        let mut deleted = Vec::new();
        for round in 0..self.repeat {
            if round > 0 {
                tokio::time::sleep(self.every).await;
            }
            let pod = lab.actor.choose(&self.deployment, &self.which).await?;
            lab.narrator.step(&format!("deleting pod/{}", pod.name_any()));
            lab.actor.delete(&pod, self.grace_s).await?;
            deleted.extend(pod.uid());
        }
        lab.actor.wait_gone(&deleted, self.patience).await?;
        lab.actor.wait_rollout(&self.deployment, self.patience).await?;
        lab.narrator.step(&format!(
            "the pod is gone and replaced; watching {} s more for late failures",
            self.settle.as_secs_f64()
        ));
        tokio::time::sleep(self.settle).await;
        Ok(())
    }
}
