//! Q8.1: a pod is deleted while requests come in.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use kube::ResourceExt;

use super::{Doing, Experiment, Lab};
use crate::cluster::Target;
use crate::cluster::act::Which;
use crate::cluster::preflight::Permission;

/// When the next pod is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// So long after the one before.
    Time(Duration),
    /// As soon as the Deployment is whole again, as a drain under a `PodDisruptionBudget` does it. That is when it hurts:
    /// kube-proxy has just taken in the new pod and waits up to its least interval (1 s) before the next change.
    Ready,
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "ready" {
            return Ok(Self::Ready);
        }
        let time = humantime::parse_duration(text);
        time.map(Self::Time).map_err(|error| format!("{error}; write a time, e.g. 15s, or `ready`"))
    }
}

impl std::fmt::Display for Every {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{} s", time.as_secs_f64()),
            Self::Ready => f.write_str("when ready again"),
        }
    }
}

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
    pub every: Every,
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
            ("every".to_owned(), self.every.to_string()),
            ("before_s".to_owned(), self.before.as_secs_f64().to_string()),
            ("settle_s".to_owned(), self.settle.as_secs_f64().to_string()),
        ])
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        vec![Permission::new("delete", "", "pods", "", Some(&target.namespace))]
    }

    fn at_most(&self) -> Option<Duration> {
        let each = match self.every {
            Every::Time(time) => time,
            Every::Ready => self.patience,
        };
        let deletions = each * self.repeat.saturating_sub(1);
        Some(self.before + deletions + self.patience * 2 + self.settle + Duration::from_secs(5))
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            // A name that does not exist is told before a request is sent.
            lab.actor.choose(&self.deployment, &self.which).await?;
            Ok(())
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            tokio::time::sleep(self.before).await;
            let mut deleted = Vec::new();
            for round in 0..self.repeat {
                if round > 0 {
                    match self.every {
                        Every::Time(time) => tokio::time::sleep(time).await,
                        Every::Ready => lab.actor.wait_ready(&self.deployment, self.patience).await?,
                    }
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
        })
    }
}
