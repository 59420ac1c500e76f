//! Taking away what was made.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::DeleteParams;
use kube::{Api, Client};

use super::Change;
use crate::cluster::act::ActError;

/// Takes away an object of ours. Its name is nobody else's: the id of the look is in it.
pub async fn remove(client: &Client, change: &Change) -> Result<String, ActError> {
    let Change::Made { object, namespace, name } = change else { return Ok("nothing was made".to_owned()) };
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let deleted = match object.as_str() {
        "pod" => Api::<Pod>::namespaced(client.clone(), namespace).delete(name, &at_once).await.map(drop),
        "configmap" => Api::<ConfigMap>::namespaced(client.clone(), namespace).delete(name, &at_once).await.map(drop),
        // Its pods first, so that none is left when it is gone.
        "job" => {
            let with_pods = DeleteParams::foreground();
            Api::<Job>::namespaced(client.clone(), namespace).delete(name, &with_pods).await.map(drop)
        }
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
