//! An experiment's hands: actions, and the journal of what must be put back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use super::{ExperimentError, Narrator};
use crate::cluster::Target;
use crate::cluster::act::Actor;
use crate::cluster::restore::{Change, Journal, slow, undo};

/// kube-proxy syncs its rules at most once a second; seen: up to 1.2 s from a deletion to the last connection sent there.
const RULES_FOLLOW: Duration = Duration::from_secs(2);

/// What an experiment works with.
#[derive(Clone)]
pub struct Lab {
    /// Names.
    pub target: Target,
    /// Acts.
    pub actor: Actor,
    /// Tells the user.
    pub narrator: Arc<dyn Narrator>,
    state: Arc<Mutex<State>>,
}

struct State {
    journal: Journal,
    rolling: Vec<String>,
}

impl Lab {
    /// With an empty journal.
    pub fn new(target: Target, actor: Actor, narrator: Arc<dyn Narrator>, journal: Journal) -> Self {
        let state = Arc::new(Mutex::new(State { journal, rolling: Vec::new() }));
        Self { target, actor, narrator, state }
    }

    /// Changes a pod template. What it was is written down first.
    pub async fn change_template(
        &self,
        deployment: &str,
        name: &str,
        detail: &str,
        change: impl Fn(&mut Value) + Send + Sync,
    ) -> Result<bool, ExperimentError> {
        self.remember_template(deployment).await?;
        Ok(self.actor.change_template(deployment, name, detail, change).await?)
    }

    /// Sends a strategic merge patch of a Deployment that changes its pod template and nothing else.
    pub async fn patch_template(&self, deployment: &str, patch: &Value) -> Result<(), ExperimentError> {
        self.remember_template(deployment).await?;
        Ok(self.actor.patch_template(deployment, patch).await?)
    }

    /// Updates a Deployment's image and says why, as Step 10.3 does.
    pub async fn update(&self, deployment: &str, image: &str, cause: &str) -> Result<(), ExperimentError> {
        self.remember_whole(deployment).await?;
        Ok(self.actor.set_image_because(deployment, image, cause).await?)
    }

    /// Takes a Deployment back to an earlier revision.
    pub async fn undo(&self, deployment: &str, to: Option<i64>) -> Result<Option<String>, ExperimentError> {
        self.remember_whole(deployment).await?;
        Ok(self.actor.undo(deployment, to).await?)
    }

    /// Writes down template and annotations, unless that was done before an earlier change.
    async fn remember_whole(&self, deployment: &str) -> Result<(), ExperimentError> {
        let before = self.actor.whole(deployment).await?;
        let mut state = self.state.lock().await;
        let known = state
            .journal
            .changes()
            .any(|change| matches!(change, Change::Revision { deployment: known, .. } if known == deployment));
        if !known {
            state.journal.record(Change::Revision {
                deployment: deployment.to_owned(),
                uid: before.uid,
                template: before.template,
                annotations: before.annotations,
            })?;
        }
        state.rolling.push(deployment.to_owned());
        Ok(())
    }

    /// Writes down what a pod template is, unless that was done before an earlier change of it.
    async fn remember_template(&self, deployment: &str) -> Result<(), ExperimentError> {
        let before = self.actor.template(deployment).await?;
        let mut state = self.state.lock().await;
        let known = state
            .journal
            .changes()
            .any(|change| matches!(change, Change::Template { deployment: known, .. } if known == deployment));
        if !known {
            state.journal.record(Change::Template {
                deployment: deployment.to_owned(),
                uid: before.uid,
                template: before.value,
            })?;
        }
        state.rolling.push(deployment.to_owned());
        Ok(())
    }

    /// Changes a Deployment's number of replicas, like `kubectl scale`. What it was is written down first.
    pub async fn scale(&self, deployment: &str, replicas: i32) -> Result<(), ExperimentError> {
        {
            let mut state = self.state.lock().await;
            let known = state
                .journal
                .changes()
                .any(|change| matches!(change, Change::Replicas { deployment: known, .. } if known == deployment));
            if !known && let Some(before) = self.actor.replicas(deployment).await? {
                state.journal.record(Change::Replicas {
                    deployment: deployment.to_owned(),
                    uid: before.uid,
                    replicas: before.replicas,
                })?;
            }
            state.rolling.push(deployment.to_owned());
        }
        Ok(self.actor.scale(deployment, replicas, "scale_deployment").await?)
    }

    /// Before a load begins: waits until these pods are gone, and until the nodes' rules have followed, which lags.
    pub async fn wait_forgotten(&self, uids: &[String], patience: Duration) -> Result<(), ExperimentError> {
        self.actor.wait_gone(uids, patience).await?;
        tokio::time::sleep(RULES_FOLLOW).await;
        Ok(())
    }

    /// Restarts a Deployment's pods. Leaves an annotation and nothing to put back.
    pub async fn restart(&self, deployment: &str) -> Result<(), ExperimentError> {
        self.state.lock().await.rolling.push(deployment.to_owned());
        Ok(self.actor.restart(deployment).await?)
    }

    /// Before the run is announced to the agents: should we crash, the next start must be able to call it off.
    pub async fn announce(&self, run: &Change) -> Result<(), ExperimentError> {
        Ok(self.state.lock().await.journal.record(run.clone())?)
    }

    /// The agents have closed the run.
    pub async fn closed(&self, run: &Change) -> Result<(), ExperimentError> {
        Ok(self.state.lock().await.journal.retract(run)?)
    }

    /// Before a change that [`Lab::undo_slow`] or the end of the run puts back.
    pub async fn record(&self, change: &Change) -> Result<(), ExperimentError> {
        Ok(self.state.lock().await.journal.record(change.clone())?)
    }

    /// Makes a slowed pod fast again before the run ends. The sentence says what was done.
    pub async fn undo_slow(&self, change: &Change) -> Result<String, ExperimentError> {
        let done = slow::undo(&self.actor, change).await?;
        self.state.lock().await.journal.retract(change)?;
        Ok(done)
    }

    /// Puts everything back, last change first. What could not be put back is returned, in words, and stays in the
    /// journal.
    pub async fn restore(&self) -> Vec<String> {
        let mut state = self.state.lock().await;
        let changes: Vec<Change> = state.journal.changes().cloned().collect();
        let mut problems = Vec::new();
        if !changes.is_empty() {
            self.narrator.step("putting the cluster back as it was");
        }
        for change in &changes {
            match undo(&self.actor, change).await {
                Ok(done) => self.narrator.step(&done),
                Err(error) => problems.push(format!("not put back: {error}")),
            }
        }
        if problems.is_empty() {
            if let Err(error) = state.journal.forget() {
                problems.push(error.to_string());
            }
        } else {
            problems.push("the next start of loadgen, or `loadgen doctor --clean`, tries again".into());
        }
        problems
    }

    /// Leaves the changes as they are, for good.
    pub async fn keep_changes(&self) -> Result<(), ExperimentError> {
        Ok(self.state.lock().await.journal.forget()?)
    }

    /// After an interruption: waits for rollouts of ours that are still under way.
    pub async fn settle(&self, patience: Duration) -> Vec<String> {
        let rolling = std::mem::take(&mut self.state.lock().await.rolling);
        let mut problems = Vec::new();
        for deployment in rolling {
            self.narrator.step(&format!("waiting until the rollout of deployment/{deployment} is complete"));
            if let Err(error) = self.actor.wait_rollout(&deployment, patience).await {
                problems.push(error.to_string());
            }
        }
        problems
    }
}
