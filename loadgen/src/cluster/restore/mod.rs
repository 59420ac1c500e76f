//! Putting back what was changed: at the end, on Ctrl-C, on errors, and at the next start after a crash.

pub mod journal;
pub mod leftovers;
mod made;
pub mod slow;

use std::time::Duration;

pub use journal::{Change, Entry, Journal, JournalError};
pub use made::remove;

use super::act::undo::Whole;
use super::act::{ActError, Actor};
use super::observer::find;

/// How long a rollout back may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Puts one change back and waits until the cluster is as it was. The sentence says what was done.
pub async fn undo(actor: &Actor, change: &Change) -> Result<String, ActError> {
    match change {
        Change::Made { .. } => remove(&actor.client, change).await,
        Change::ObserverRun { run_id, namespace } => Ok(drop_run(actor, run_id, namespace).await),
        Change::PodDelay { .. } | Change::PodCpu { .. } => slow::undo(actor, change).await,
        Change::Replicas { deployment, uid, replicas } => {
            let Some(now) = actor.replicas(deployment).await? else {
                return Ok(format!("deployment/{deployment} is gone: there is nothing to put back"));
            };
            if now.uid != *uid {
                return Ok(format!("deployment/{deployment} was made anew since: it is left as it is"));
            }
            if now.replicas == *replicas {
                return Ok(format!("deployment/{deployment} already has its {replicas} replicas of before the run"));
            }
            actor.scale(deployment, *replicas, "restore").await?;
            actor.wait_rollout(deployment, PATIENCE).await?;
            Ok(format!("deployment/{deployment} has its {replicas} replicas of before the run again"))
        }
        Change::Template { deployment, uid, template } => {
            if let Some(left) = left_alone(actor, deployment, uid).await? {
                return Ok(left);
            }
            let changed = actor
                .change_template(deployment, "restore", "the pod template of before the run", |current| {
                    current.clone_from(template);
                })
                .await?;
            restored(actor, deployment, changed).await
        }
        Change::Revision { deployment, uid, template, annotations } => {
            if let Some(left) = left_alone(actor, deployment, uid).await? {
                return Ok(left);
            }
            let before = Whole { uid: uid.clone(), template: template.clone(), annotations: annotations.clone() };
            let changed = actor.put_back_whole(deployment, &before).await?;
            restored(actor, deployment, changed).await
        }
    }
}

/// Why there is nothing to put back, if so.
async fn left_alone(actor: &Actor, deployment: &str, uid: &str) -> Result<Option<String>, ActError> {
    match actor.template(deployment).await {
        Ok(now) if now.uid == *uid => Ok(None),
        Ok(_) => Ok(Some(format!("deployment/{deployment} was made anew since: it is left as it is"))),
        Err(ActError::Api { source: kube::Error::Api(status), .. }) if status.code == 404 => {
            Ok(Some(format!("deployment/{deployment} is gone: there is nothing to put back")))
        }
        Err(error) => Err(error),
    }
}

async fn restored(actor: &Actor, deployment: &str, changed: bool) -> Result<String, ActError> {
    if !changed {
        return Ok(format!("deployment/{deployment} already has the template of before the run"));
    }
    actor.wait_rollout(deployment, PATIENCE).await?;
    Ok(format!("deployment/{deployment} has its pod template of before the run again"))
}

/// Drops a run at every agent that still has it. An agent that is gone has dropped it already.
async fn drop_run(actor: &Actor, run_id: &str, namespace: &str) -> String {
    let Ok(agents) = find(&actor.client, namespace).await else {
        return format!("there are no observers in namespace {namespace} that could hold run {run_id}");
    };
    let mut dropped = 0;
    for agent in &agents.running {
        if let Ok(mut conversation) = agent.open().await {
            dropped += usize::from(conversation.delete(&format!("/v1/runs/{run_id}")).await.is_ok());
        }
    }
    format!("run {run_id} is dropped at {dropped} observer(s)")
}
