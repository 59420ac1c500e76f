//! Deployments, Services, pods, endpoints, `ConfigMaps` and Secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, Namespace, Pod, PodSpec, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::Question;
use crate::cluster::Cluster;
use crate::cluster::act::rollout::{Progress, progress};
use crate::cluster::connect::words;
use crate::verify::check::{CONFIG_MAPS, GATEWAY_CONFIG, SECRETS};
use crate::verify::facts::{
    DeploymentFact, EndpointFact, EnvFrom, EnvSource, EnvVariable, Facts, Found, Half, Mount, PodFact, SecretValue,
    ServiceFact,
};

/// Reads them all.
pub async fn objects(cluster: &Cluster, question: &Question) -> Facts {
    let target = &question.target;
    let namespace = Api::<Namespace>::all(cluster.client.clone()).get_opt(&target.namespace).await;
    let mut facts = Facts {
        context: cluster.context.clone(),
        kubernetes: cluster.version.clone(),
        namespace: target.namespace.clone(),
        other_namespace: question.other_namespace.clone(),
        cluster_domain: question.cluster_domain.clone(),
        namespace_found: found(namespace, |_| ()),
        gateway: half(cluster, target, &target.gateway_deployment, &target.gateway_service).await,
        upstream: half(cluster, target, &target.upstream_deployment, &target.upstream_service).await,
        ..Facts::default()
    };
    let (mut maps, mut secrets) = (BTreeSet::from([GATEWAY_CONFIG.to_owned()]), BTreeSet::new());
    maps.extend(CONFIG_MAPS.map(|(name, _)| name.to_owned()));
    secrets.extend(SECRETS.map(|(name, _)| name.to_owned()));
    for deployment in [&facts.gateway, &facts.upstream].into_iter().filter_map(|half| half.deployment.there()) {
        named(deployment, &mut maps, &mut secrets);
    }
    for name in maps {
        let read = get::<ConfigMap>(cluster, &target.namespace, &name).await;
        facts.config_maps.insert(name, map(read, |map| map.data.unwrap_or_default()));
    }
    for name in secrets {
        let read = get::<Secret>(cluster, &target.namespace, &name).await;
        facts.secrets.insert(name, map(read, |secret| values(secret, question.show_secrets)));
    }
    facts
}

fn found<K, T>(read: Result<Option<K>, kube::Error>, then: impl FnOnce(K) -> T) -> Found<T> {
    match read {
        Ok(Some(object)) => Found::There(then(object)),
        Ok(None) => Found::Missing,
        Err(error) => Found::Unreadable(words(&error)),
    }
}

fn map<K, T>(read: Found<K>, then: impl FnOnce(K) -> T) -> Found<T> {
    match read {
        Found::There(object) => Found::There(then(object)),
        Found::Missing => Found::Missing,
        Found::Unreadable(why) => Found::Unreadable(why),
    }
}

async fn get<K>(cluster: &Cluster, namespace: &str, name: &str) -> Found<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    found(Api::<K>::namespaced(cluster.client.clone(), namespace).get_opt(name).await, |object| object)
}

async fn half(cluster: &Cluster, target: &crate::cluster::Target, deployment: &str, service: &str) -> Half {
    let namespace = &target.namespace;
    let read = get::<Deployment>(cluster, namespace, deployment).await;
    let pods = match &read {
        Found::There(found) => pods(cluster, namespace, found).await,
        _ => Ok(Vec::new()),
    };
    let endpoints = endpoints(cluster, namespace, service).await;
    let problem = pods.as_ref().err().or(endpoints.as_ref().err()).map(words);
    Half {
        deployment_name: deployment.to_owned(),
        service_name: service.to_owned(),
        deployment: map(read, |deployment| deployment_fact(&deployment)),
        service: map(get::<Service>(cluster, namespace, service).await, service_fact),
        pods: pods.unwrap_or_default(),
        endpoints: endpoints.unwrap_or_default(),
        problem,
    }
}

async fn pods(cluster: &Cluster, namespace: &str, deployment: &Deployment) -> Result<Vec<PodFact>, kube::Error> {
    let labels = deployment.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
    let selector: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(&selector.join(","))).await?.items;
    Ok(list.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(pod_fact).collect())
}

fn pod_fact(pod: &Pod) -> PodFact {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let message = waiting.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
        Some(format!("{}{message}", waiting.reason.as_deref().unwrap_or("waiting")))
    });
    let unmet = || conditions.iter().find(|condition| condition.status != "True").and_then(|c| c.message.clone());
    let why = if ready { None } else { waiting.or_else(unmet) };
    PodFact { name: pod.name_any(), ip: status.pod_ip, ready, why }
}

async fn endpoints(cluster: &Cluster, namespace: &str, service: &str) -> Result<Vec<EndpointFact>, kube::Error> {
    let api: Api<EndpointSlice> = Api::namespaced(cluster.client.clone(), namespace);
    let label = format!("kubernetes.io/service-name={service}");
    let slices = api.list(&ListParams::default().labels(&label)).await?.items;
    let mut all = Vec::new();
    for endpoint in slices.into_iter().flat_map(|slice| slice.endpoints.into_iter()) {
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
        let pod = endpoint.target_ref.filter(|target| target.kind.as_deref() == Some("Pod")).and_then(|t| t.name);
        all.extend(endpoint.addresses.into_iter().map(|ip| EndpointFact { ip, ready, pod: pod.clone() }));
    }
    Ok(all)
}

fn service_fact(service: Service) -> ServiceFact {
    let spec = service.spec.unwrap_or_default();
    let target = |port: Option<IntOrString>, own: i32| match port {
        Some(IntOrString::Int(port)) => port.to_string(),
        Some(IntOrString::String(name)) => name,
        None => own.to_string(),
    };
    ServiceFact {
        kind: spec.type_.unwrap_or_else(|| "ClusterIP".to_owned()),
        cluster_ip: spec.cluster_ip.filter(|ip| ip != "None" && !ip.is_empty()),
        selector: spec.selector.unwrap_or_default(),
        ports: spec
            .ports
            .unwrap_or_default()
            .into_iter()
            .map(|port| (port.port, target(port.target_port, port.port), port.node_port))
            .collect(),
    }
}

fn deployment_fact(deployment: &Deployment) -> DeploymentFact {
    let spec = deployment.spec.clone().unwrap_or_default();
    let pod = spec.template.spec.unwrap_or_default();
    let container = pod.containers.first().cloned().unwrap_or_default();
    DeploymentFact {
        replicas: spec.replicas.unwrap_or(1),
        ready: deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0),
        unfinished: match progress(deployment) {
            Progress::Complete => None,
            Progress::Waiting(why) | Progress::Stuck(why) => Some(why),
        },
        labels: spec.template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default(),
        image: container.image.clone().unwrap_or_default(),
        args: container.args.clone().unwrap_or_default(),
        env: container.env.iter().flatten().map(variable).collect(),
        env_from: env_from(&container),
        mounts: mounts(&pod, &container),
    }
}

fn variable(variable: &EnvVar) -> EnvVariable {
    let from = variable.value_from.clone().unwrap_or_default();
    let source = if let Some(secret) = from.secret_key_ref {
        EnvSource::Secret { name: secret.name, key: secret.key }
    } else if let Some(map) = from.config_map_key_ref {
        EnvSource::ConfigMap { name: map.name, key: map.key }
    } else if let Some(field) = from.field_ref {
        EnvSource::Pod(field.field_path)
    } else if let Some(resource) = from.resource_field_ref {
        EnvSource::Pod(resource.resource)
    } else {
        EnvSource::Value(variable.value.clone().unwrap_or_default())
    };
    EnvVariable { name: variable.name.clone(), from: source }
}

fn env_from(container: &Container) -> Vec<EnvFrom> {
    let mut all = Vec::new();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.clone().unwrap_or_default();
        if let Some(map) = &source.config_map_ref {
            all.push(EnvFrom { kind: "config_map".into(), name: map.name.clone(), prefix });
        } else if let Some(secret) = &source.secret_ref {
            all.push(EnvFrom { kind: "secret".into(), name: secret.name.clone(), prefix });
        }
    }
    all
}

fn mounts(pod: &PodSpec, container: &Container) -> Vec<Mount> {
    let mut all = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = pod.volumes.iter().flatten().find(|volume| volume.name == mount.name);
        let Some(volume) = volume else { continue };
        let (kind, name) = match (&volume.config_map, &volume.secret) {
            (Some(map), _) => ("config_map", map.name.clone()),
            (None, Some(secret)) => ("secret", secret.secret_name.clone().unwrap_or_default()),
            (None, None) => continue,
        };
        let (path, sub_path) = (mount.mount_path.clone(), mount.sub_path.clone());
        all.push(Mount { kind: kind.to_owned(), name, path, sub_path });
    }
    all
}

/// `ConfigMaps` and Secrets that a template names.
fn named(deployment: &DeploymentFact, maps: &mut BTreeSet<String>, secrets: &mut BTreeSet<String>) {
    for variable in &deployment.env {
        match &variable.from {
            EnvSource::Secret { name, .. } => drop(secrets.insert(name.clone())),
            EnvSource::ConfigMap { name, .. } => drop(maps.insert(name.clone())),
            EnvSource::Value(_) | EnvSource::Pod(_) => {}
        }
    }
    let sources = deployment.env_from.iter().map(|from| (&from.kind, &from.name));
    for (kind, name) in sources.chain(deployment.mounts.iter().map(|mount| (&mount.kind, &mount.name))) {
        if kind == "secret" { &mut *secrets } else { &mut *maps }.insert(name.clone());
    }
}

fn values(secret: Secret, show: bool) -> BTreeMap<String, SecretValue> {
    let decoded = |bytes: Vec<u8>| SecretValue {
        length_bytes: bytes.len() as u64,
        value: show.then(|| String::from_utf8_lossy(&bytes).into_owned()),
    };
    secret.data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, decoded(bytes.0))).collect()
}
