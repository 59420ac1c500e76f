//! The Job's pods, until all of them run.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::manifest::{JobPlan, LABEL};
use super::shards::JobError;
use crate::cluster::observer::Agent;

/// Until all pods run. An image that must be pulled first takes its time.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The pods with their index, once all of them run.
pub async fn all_running(client: &Client, job: &JobPlan) -> Result<Vec<(u32, Agent)>, JobError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &job.namespace);
    let ours = ListParams::default().labels(&format!("{LABEL}={}", job.name));
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let list = pods.list(&ours).await.map(|list| list.items).unwrap_or_default();
        let mut running: Vec<(u32, Agent)> = list.iter().filter_map(|pod| running(client, job, pod)).collect();
        if running.len() == job.shards as usize {
            running.sort_by_key(|(index, _)| *index);
            return Ok(running);
        }
        let hopeless = list.iter().any(|pod| phase(pod) == "Failed");
        if hopeless || tokio::time::Instant::now() > until {
            let states: Vec<String> = list.iter().map(describe).collect();
            let states = if states.is_empty() { "there are none".to_owned() } else { states.join("; ") };
            let fix = format!(
                "see `kubectl describe pods -n {} -l {LABEL}={}`; the nodes must have the image {}",
                job.namespace, job.name, job.image
            );
            return Err(JobError::NotRunning { name: job.name.clone(), states, fix });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn running(client: &Client, job: &JobPlan, pod: &Pod) -> Option<(u32, Agent)> {
    let index = pod.labels().get("batch.kubernetes.io/job-completion-index")?.parse().ok()?;
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    (phase(pod) == "Running").then(|| (index, Agent::shard(client, &job.namespace, &pod.name_any(), node)))
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// "pod/x is Pending (`ErrImageNeverPull`)".
fn describe(pod: &Pod) -> String {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let waiting = containers.filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone());
    let reasons: Vec<String> = waiting.collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("pod/{} is {}{why}", pod.name_any(), phase(pod))
}
