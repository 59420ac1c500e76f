//! Step 9: the load rises and falls, and an autoscaler follows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::scale::scaling_permissions;
use super::{Doing, Experiment, Lab};
use crate::cluster::Target;
use crate::cluster::act::ActError;
use crate::cluster::pod_metrics;
use crate::cluster::preflight::Permission;
use crate::raw::scaling::AutoscalerState;

/// Watches an autoscaler under a load that changes.
#[derive(Clone, Debug)]
pub struct Hpa {
    /// Its name.
    pub autoscaler: String,
    /// The Deployment that it scales.
    pub deployment: String,
    /// For its first metric.
    pub patience: Duration,
}

impl Experiment for Hpa {
    fn name(&self) -> &'static str {
        "hpa"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("hpa".to_owned(), self.autoscaler.clone()),
            ("deployment".to_owned(), self.deployment.clone()),
        ])
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        let mut all = scaling_permissions(target);
        all.push(Permission::new("list", "metrics.k8s.io", "pods", "", Some(&target.namespace)));
        all
    }

    fn watches_scaling(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            let namespace = &lab.target.namespace;
            lab.actor.autoscaler(&self.autoscaler).await?;
            if let Err(why) = pod_metrics::read(&lab.actor.client, namespace).await {
                return Err(ActError::Unfit {
                what: format!("the metrics API does not answer, and an autoscaler is blind without it: {why}"),
                fix: "`minikube addons enable metrics-server`; the embedded cluster has it with `cargo xtask cluster up --metrics fast`".into(),
            }
            .into());
            }
            // An autoscaler that has no figure yet would add its own start-up to the time line.
            let started = Instant::now();
            let mut told = false;
            loop {
                let state = lab.actor.autoscaler(&self.autoscaler).await?;
                if state.cpu_percent.is_some() {
                    lab.narrator.step(&sees(&state));
                    return Ok(());
                }
                if started.elapsed() > self.patience {
                    return Err(blind(&state, started.elapsed()).into());
                }
                if !told {
                    told = true;
                    lab.narrator.step(&format!("waiting for the first metric of hpa/{}", self.autoscaler));
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    }
}

fn sees(state: &AutoscalerState) -> String {
    let percent = |value: Option<i32>| value.map_or_else(|| "?".to_owned(), |value| format!("{value} %"));
    format!(
        "hpa/{} sees {} of {} CPU and wants {} replicas ({} to {})",
        state.name,
        percent(state.cpu_percent),
        percent(state.target_percent),
        state.desired_replicas,
        state.min_replicas,
        state.max_replicas
    )
}

fn blind(state: &AutoscalerState, waited: Duration) -> ActError {
    let active = state.conditions.iter().find(|condition| condition.kind == "ScalingActive");
    ActError::TimedOut {
        what: format!("hpa/{} has no CPU metric", state.name),
        waited_s: waited.as_secs_f64(),
        state: active.map_or_else(|| "it says nothing".to_owned(), |condition| condition.message.clone()),
        fix: "see that each container of its pods requests CPU and that `kubectl top pods` shows them".to_owned(),
    }
}
