//! Taking away what was made.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::DeleteParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use super::Change;
use crate::cluster::act::ActError;

/// Pods end within their grace of five seconds; what takes longer goes on without us.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Takes away an object of ours. Its name is nobody else's: the id of the look is in it.
pub async fn remove(client: &Client, change: &Change) -> Result<String, ActError> {
    let Change::Made { object, namespace, name } = change else { return Ok("nothing was made".to_owned()) };
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let deleted = match object.as_str() {
        "pod" => Api::<Pod>::namespaced(client.clone(), namespace).delete(name, &at_once).await.map(drop),
        "configmap" => Api::<ConfigMap>::namespaced(client.clone(), namespace).delete(name, &at_once).await.map(drop),
        "job" => remove_job(&Api::namespaced(client.clone(), namespace), name).await,
        other => {
            return Ok(format!("{other}/{name} is of a kind that this version does not know: it is left as it is"));
        }
    };
    match deleted {
        Ok(()) => Ok(format!("{object}/{name} in namespace {namespace} is gone")),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(format!("{object}/{name} is gone already")),
        Err(error) => Err(ActError::api(format!("delete {object}/{name} in namespace {namespace}"))(error)),
    }
}

/// Its pods first, so that none is left when it is gone.
async fn remove_job(jobs: &Api<Job>, name: &str) -> Result<(), kube::Error> {
    jobs.delete(name, &DeleteParams::foreground()).await?;
    let until = Instant::now() + PATIENCE;
    while jobs.get_opt(name).await?.is_some() && Instant::now() < until {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}
