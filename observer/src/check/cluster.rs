//! The API server: can it be reached, and may we watch?

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::Finding;
use crate::pods::watch::chain;

const WITHIN: Duration = Duration::from_secs(5);

/// Reachability and the three watches.
pub async fn api_server() -> Vec<Finding> {
    let client = match within(Client::try_default()).await {
        Ok(client) => client,
        Err(error) => return vec![reached(false, error)],
    };
    let version = match within(client.apiserver_version()).await {
        Ok(version) => version,
        Err(error) => return vec![reached(false, error)],
    };
    vec![
        reached(true, format!("Kubernetes {}", version.git_version)),
        may_list::<Pod>(&client, "pods", "names of pods").await,
        may_list::<Service>(&client, "services", "which ports to watch, unless --port says so").await,
        may_list::<EndpointSlice>(&client, "endpointslices", "which pods are gateways and which serve").await,
    ]
}

async fn within<T, E: std::error::Error>(future: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(WITHIN, future).await {
        Ok(result) => result.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

fn reached(ok: bool, detail: String) -> Finding {
    Finding {
        name: "api_server".into(),
        ok,
        required: false,
        detail,
        lost_without: "names of pods and ports of Services: everything is told by address and cgroup".into(),
        fix: (!ok).then(|| "set KUBECONFIG, or run in a pod with a service account".into()),
    }
}

async fn may_list<K>(client: &Client, name: &str, lost_without: &str) -> Finding
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let params = ListParams::default().limit(1);
    let api = Api::<K>::all(client.clone());
    let listed = within(api.list(&params)).await;
    let rule = format!("grant get, list and watch on {name} in all namespaces to the agent's service account");
    Finding {
        name: format!("list_{name}"),
        ok: listed.is_ok(),
        required: false,
        fix: listed.is_err().then_some(rule),
        detail: listed.map_or_else(|error| error, |_| "allowed".into()),
        lost_without: lost_without.into(),
    }
}
