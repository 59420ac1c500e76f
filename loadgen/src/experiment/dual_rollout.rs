//! Q10.4: the gateway and the pods behind it are rolled at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rollout::Rollout;
use super::{Doing, Experiment, Lab};
use crate::cluster::Target;
use crate::cluster::preflight::Permission;

/// Two rollouts that begin together.
#[derive(Clone, Debug)]
pub struct DualRollout {
    /// Of the serving pods. Its times are those of both.
    pub upstream: Rollout,
    /// Of the gateway.
    pub gateway: Rollout,
}

impl Experiment for DualRollout {
    fn name(&self) -> &'static str {
        "dual-rollout"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let update = |rollout: &Rollout| rollout.image.clone().unwrap_or_else(|| "restart".to_owned());
        BTreeMap::from([
            ("upstream_update".to_owned(), update(&self.upstream)),
            ("gateway_update".to_owned(), update(&self.gateway)),
            ("before_s".to_owned(), self.upstream.before.as_secs_f64().to_string()),
            ("settle_s".to_owned(), self.upstream.settle.as_secs_f64().to_string()),
        ])
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        let mut all = self.upstream.permissions(target);
        for permission in self.gateway.permissions(target) {
            if !all.contains(&permission) {
                all.push(permission);
            }
        }
        all
    }

    fn at_most(&self) -> Option<Duration> {
        self.upstream.at_most()
    }

    fn prepare<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            self.upstream.prepare(lab).await?;
            self.gateway.prepare(lab).await
        })
    }

    fn drive<'a>(&'a self, lab: &'a Lab) -> Doing<'a> {
        Box::pin(async move {
            tokio::time::sleep(self.upstream.before).await;
            tokio::try_join!(self.upstream.roll(lab), self.gateway.roll(lab))?;
            self.upstream.watch_late_failures(lab).await;
            Ok(())
        })
    }
}
