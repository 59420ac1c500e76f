//! Putting back what was changed: at the end, on Ctrl-C, on errors, and at the next start after a crash.

pub mod journal;
pub mod leftovers;
mod made;

use std::time::Duration;

pub use journal::{Change, Entry, Journal, JournalError};
pub use made::remove;

use super::act::{ActError, Actor};
use super::observer::find;

/// How long a rollout back may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Puts one change back and waits until the cluster is as it was. The sentence says what was done.
pub async fn undo(actor: &Actor, change: &Change) -> Result<String, ActError> {
    match change {
        Change::Made { .. } => remove(&actor.client, change).await,
        Change::ObserverRun { run_id, namespace } => Ok(drop_run(actor, run_id, namespace).await),
        Change::Template { deployment, uid, template } => {
            let now = match actor.template(deployment).await {
                Ok(now) => now,
                Err(ActError::Api { source: kube::Error::Api(status), .. }) if status.code == 404 => {
                    return Ok(format!("deployment/{deployment} is gone: there is nothing to put back"));
                }
                Err(error) => return Err(error),
            };
            if now.uid != *uid {
                return Ok(format!("deployment/{deployment} was made anew since: it is left as it is"));
            }
            let changed = actor
                .change_template(deployment, "restore", "the pod template of before the run", |current| {
                    current.clone_from(template);
                })
                .await?;
            if !changed {
                return Ok(format!("deployment/{deployment} already has the template of before the run"));
            }
            actor.wait_rollout(deployment, PATIENCE).await?;
            Ok(format!("deployment/{deployment} has its pod template of before the run again"))
        }
    }
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
