//! Where a run takes place, for its report.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::act::Actor;
use super::{Cluster, Target};
use crate::raw::Environment;

/// Reads what may be read; what may not stays unknown.
pub async fn describe(cluster: &Cluster, target: &Target, actor: &Actor) -> Environment {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), &target.namespace);
    let mut images = BTreeMap::new();
    let mut gateway = None;
    for name in [&target.gateway_deployment, &target.upstream_deployment] {
        if let Ok(deployment) = deployments.get(name).await {
            if let Some(image) = image(&deployment) {
                images.insert(name.clone(), image);
            }
            if *name == target.gateway_deployment {
                gateway = Some(deployment);
            }
        }
    }
    Environment {
        context: cluster.context.clone(),
        kubernetes: Some(cluster.version.clone()),
        nodes: nodes(cluster).await,
        kube_proxy_mode: kube_proxy_mode(cluster).await,
        images,
        gateway_config: match gateway {
            Some(deployment) => gateway_config(cluster, target, &deployment).await,
            None => None,
        },
        upstream_template: actor.template(&target.upstream_deployment).await.ok().map(|template| template.value),
        gateway_template: actor.template(&target.gateway_deployment).await.ok().map(|template| template.value),
        host: host(),
    }
}

/// Names of the nodes, as far as they may be listed.
pub async fn node_names(cluster: &Cluster) -> Vec<String> {
    let list = Api::<Node>::all(cluster.client.clone()).list(&ListParams::default()).await;
    list.map(|nodes| nodes.items.iter().map(ResourceExt::name_any).collect()).unwrap_or_default()
}

fn image(deployment: &Deployment) -> Option<String> {
    deployment.spec.as_ref()?.template.spec.as_ref()?.containers.first()?.image.clone()
}

async fn nodes(cluster: &Cluster) -> Vec<BTreeMap<String, String>> {
    let Ok(nodes) = Api::<Node>::all(cluster.client.clone()).list(&ListParams::default()).await else {
        return Vec::new();
    };
    let describe = |node: &Node| {
        let mut facts = BTreeMap::from([("name".to_owned(), node.name_any())]);
        if let Some(status) = &node.status {
            if let Some(info) = &status.node_info {
                facts.insert("kernel".to_owned(), info.kernel_version.clone());
                facts.insert("runtime".to_owned(), info.container_runtime_version.clone());
                facts.insert("kubelet".to_owned(), info.kubelet_version.clone());
                facts.insert("os".to_owned(), info.os_image.clone());
            }
            if let Some(cpu) = status.capacity.as_ref().and_then(|capacity| capacity.get("cpu")) {
                facts.insert("cpus".to_owned(), cpu.0.clone());
            }
        }
        facts
    };
    nodes.items.iter().map(describe).collect()
}

/// kubeadm-made clusters (minikube, kind) keep it in a `ConfigMap`.
async fn kube_proxy_mode(cluster: &Cluster) -> Option<String> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "kube-system");
    let map = maps.get("kube-proxy").await.ok()?;
    let config = map.data?.remove("config.conf")?;
    let mode = config.lines().find_map(|line| line.trim().strip_prefix("mode:"))?.trim().trim_matches('"').to_owned();
    Some(if mode.is_empty() { "iptables (the default)".to_owned() } else { mode })
}

/// The nginx configuration that the gateway mounts from a `ConfigMap`: its first one with an `upstream` in it.
async fn gateway_config(cluster: &Cluster, target: &Target, deployment: &Deployment) -> Option<String> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &target.namespace);
    let volumes = deployment.spec.as_ref()?.template.spec.as_ref()?.volumes.as_ref()?;
    for name in volumes.iter().filter_map(|volume| Some(volume.config_map.as_ref()?.name.clone())) {
        let Ok(map) = maps.get(&name).await else { continue };
        let config = map.data.into_iter().flatten().map(|(_, text)| text).find(|text| text.contains("proxy_pass"));
        if config.is_some() {
            return config;
        }
    }
    None
}

fn host() -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    if let Ok(kernel) = std::fs::read_to_string("/proc/sys/kernel/osrelease") {
        facts.insert("kernel".to_owned(), kernel.trim().to_owned());
    }
    if let Ok(cpus) = std::thread::available_parallelism() {
        facts.insert("cpus".to_owned(), cpus.to_string());
    }
    facts.insert("os".to_owned(), std::env::consts::OS.to_owned());
    facts.insert("arch".to_owned(), std::env::consts::ARCH.to_owned());
    facts
}
