//! Q10.5: a new version beside the old one, both as they are deployed; nothing is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Doing, Experiment, Lab};

/// Load on both.
#[derive(Clone, Debug)]
pub struct Canary {
    /// Deployment of the new version.
    pub canary: String,
    /// Share that the gateway is told to give it; `None`: the ratio of ready pods decides.
    pub weight_ratio: Option<f64>,
    /// Failure ratio that it must be shown to stay below.
    pub most_failed_ratio: f64,
    /// For a rollout under way.
    pub patience: Duration,
}

impl Experiment for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::from([
            ("canary".to_owned(), self.canary.clone()),
            ("most_failed_ratio".to_owned(), self.most_failed_ratio.to_string()),
        ]);
        if let Some(ratio) = self.weight_ratio {
            settings.insert("weight_ratio".to_owned(), ratio.to_string());
        }
        settings
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            // A canary that is not there, or not ready, is told before a request is sent.
            lab.actor.wait_rollout(&self.canary, self.patience).await?;
            Ok(lab.actor.wait_rollout(&lab.target.upstream_deployment, self.patience).await?)
        })
    }
}
