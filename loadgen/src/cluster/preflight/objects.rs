//! Whether the lab's objects are there and ready.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::finding::Report;
use crate::cluster::act::rollout::{Progress, progress};
use crate::cluster::connect::words;
use crate::cluster::names::hint;
use crate::cluster::{Cluster, Target};

/// `true`: all are there.
pub async fn check(cluster: &Cluster, target: &Target, report: &mut Report) -> bool {
    if !namespace(cluster, target, report).await {
        return false;
    }
    let mut there = true;
    let mut deployments = Vec::new();
    for (name, option) in
        [(&target.gateway_deployment, "--gateway-deployment"), (&target.upstream_deployment, "--deployment")]
    {
        let found = object::<Deployment>(cluster, target, "deployment", name, option, report).await;
        there &= found.is_some();
        deployments.extend(found);
    }
    for (name, option) in [(&target.gateway_service, "--gateway-service"), (&target.upstream_service, "--service")] {
        there &= object::<Service>(cluster, target, "service", name, option, report).await.is_some();
    }
    for deployment in &deployments {
        ready(deployment, target, report);
    }
    if there {
        report.ok(format!("namespace {} has both deployments and both services", target.namespace));
    }
    there
}

async fn namespace(cluster: &Cluster, target: &Target, report: &mut Report) -> bool {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    match api.get_opt(&target.namespace).await {
        Ok(Some(_)) => true,
        Ok(None) => {
            let names = api.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
            let names: Vec<String> = names.iter().map(ResourceExt::name_any).collect();
            report.error(
                format!("there is no namespace `{}`: {}", target.namespace, hint(&target.namespace, &names)),
                "name the lab's namespace with --namespace; make it with `kubectl apply -k k8s/lab`",
            );
            false
        }
        // Who may not read namespaces may still use one; the objects inside will tell.
        Err(error) => {
            report.warn(
                format!("cannot read namespace `{}`: {}", target.namespace, words(&error)),
                "none is needed when the rest is fine",
            );
            true
        }
    }
}

async fn object<K>(
    cluster: &Cluster,
    target: &Target,
    kind: &str,
    name: &str,
    option: &str,
    report: &mut Report,
) -> Option<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(cluster.client.clone(), &target.namespace);
    match api.get_opt(name).await {
        Ok(Some(object)) => Some(object),
        Ok(None) => {
            let there = api.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
            let names: Vec<String> = there.iter().map(ResourceExt::name_any).collect();
            report.error(
                format!("namespace {} has no {kind} `{name}`: {}", target.namespace, hint(name, &names)),
                format!("name it with {option}; the lab's own are in `kubectl apply -k k8s/lab`"),
            );
            None
        }
        Err(error) => {
            report.error(
                format!("cannot read {kind} `{name}`: {}", words(&error)),
                "check your login with `kubectl auth whoami`",
            );
            None
        }
    }
}

fn ready(deployment: &Deployment, target: &Target, report: &mut Report) {
    let name = deployment.name_any();
    if deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(0) {
        report.error(
            format!("deployment/{name} is scaled to 0"),
            format!("`kubectl scale -n {} deployment/{name} --replicas=3`", target.namespace),
        );
        return;
    }
    let fix = format!("wait with `kubectl rollout status -n {} deployment/{name}`", target.namespace);
    match progress(deployment) {
        Progress::Complete => {}
        Progress::Waiting(state) => {
            report.warn(format!("a rollout of deployment/{name} is under way: {state}"), fix);
        }
        Progress::Stuck(state) => report.warn(format!("the rollout of deployment/{name} is stuck: {state}"), fix),
    }
}
