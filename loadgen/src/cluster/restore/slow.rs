//! A slowed pod is made as fast as it was.

use crate::cluster::act::slow::{Cpu, Delay, Told};
use crate::cluster::act::{ActError, Actor};
use crate::cluster::restore::Change;

/// Name of the action that puts something back.
const RESTORE: &str = "restore";

/// Puts a slowed pod back. The sentence says what was done. Changes of other kinds are not touched.
pub async fn undo(actor: &Actor, change: &Change) -> Result<String, ActError> {
    match change {
        Change::PodDelay { pod, uid, port, delay_ms, jitter_ms } => {
            if actor.same_pod(pod, uid).await?.is_none() {
                return Ok(gone(pod));
            }
            let detail = format!("waits {delay_ms} ms before each answer, as before");
            let delay = Delay { delay_ms: *delay_ms, jitter_ms: *jitter_ms };
            actor.set_delay(pod, uid, *port, delay, Told { name: RESTORE, detail: &detail }).await?;
            Ok(format!("pod/{pod} {detail}"))
        }
        Change::PodCpu { pod, uid, container, limit, request } => {
            if actor.same_pod(pod, uid).await?.is_none() {
                return Ok(gone(pod));
            }
            let detail = format!("has its CPU limit of {limit} again");
            let cpu = Cpu { container: container.clone(), limit: limit.clone(), request: request.clone() };
            actor.set_cpu(pod, uid, &cpu, Told { name: RESTORE, detail: &detail }).await?;
            Ok(format!("pod/{pod} {detail}"))
        }
        _ => Ok("nothing was slowed".to_owned()),
    }
}

fn gone(pod: &str) -> String {
    format!("pod/{pod} is gone: there is nothing to put back")
}
