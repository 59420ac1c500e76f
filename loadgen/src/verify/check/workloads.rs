//! Steps 2 and 3: Deployments, Services, endpoints.

use std::collections::{BTreeMap, BTreeSet};

use super::configuration::GATEWAY_CONFIG;
use super::{Check, of};
use crate::verify::facts::{DeploymentFact, Facts, Found, Half, ServiceFact};

/// Step 2.
pub fn upstream(facts: &Facts) -> Vec<Check> {
    let half = &facts.upstream;
    vec![
        deployment(half, facts, 2, "2.1", "ml-service-deployment.yaml"),
        service(half, facts, 2, "2.2", "ml-service-service.yaml", "ClusterIP"),
        endpoints(half, facts, 2, "2.2", "ml-service-service.yaml"),
    ]
}

/// Step 3.
pub fn gateway(facts: &Facts) -> Vec<Check> {
    let half = &facts.gateway;
    vec![
        nginx_configuration(facts),
        deployment(half, facts, 3, "3.2", "gateway-deployment.yaml"),
        service(half, facts, 3, "3.3", "gateway-service.yaml", "NodePort"),
        endpoints(half, facts, 3, "3.3", "gateway-service.yaml"),
    ]
}

fn deployment(half: &Half, facts: &Facts, step: u8, task: &str, file: &str) -> Check {
    let name = &half.deployment_name;
    let check = of(step, task, format!("deployment/{name}"));
    let redo = format!("kubectl apply -n {} -f {file}", facts.namespace);
    match &half.deployment {
        Found::Unreadable(why) => check.not_checked(why),
        Found::Missing => check.fail("it does not exist", redo),
        Found::There(found) if found.replicas == 0 => check
            .fail("it is scaled to 0", format!("kubectl scale -n {} deployment/{name} --replicas=2", facts.namespace)),
        Found::There(found) => match unready(found, half) {
            None => check.pass(format!("{} of {} pods ready, {}", found.ready, found.replicas, found.image)),
            Some(why) => check.fail(why, format!("kubectl describe pods -n {}; then {redo}", facts.namespace)),
        },
    }
}

fn unready(found: &DeploymentFact, half: &Half) -> Option<String> {
    if found.unfinished.is_none() && found.ready >= found.replicas {
        return None;
    }
    let why: BTreeSet<&str> = half.pods.iter().filter_map(|pod| pod.why.as_deref()).collect();
    let mut text = format!("{} of {} pods are ready", found.ready, found.replicas);
    for part in found.unfinished.as_deref().into_iter().chain(why) {
        text.push_str("; ");
        text.push_str(part);
    }
    Some(text)
}

fn service(half: &Half, facts: &Facts, step: u8, task: &str, file: &str, kind: &str) -> Check {
    let check = of(step, task, format!("service/{}", half.service_name));
    let redo = format!("kubectl apply -n {} -f {file}", facts.namespace);
    let found = match &half.service {
        Found::Unreadable(why) => return check.not_checked(why),
        Found::Missing => return check.fail("it does not exist", redo),
        Found::There(found) => found,
    };
    if found.kind != kind {
        return check.fail(format!("its type is {}, the lab's is {kind}", found.kind), redo);
    }
    match &found.cluster_ip {
        None => check.fail("it has no address of its own", redo),
        Some(ip) => check.pass(format!("{kind} {ip}, {}", ports(found))),
    }
}

fn ports(service: &ServiceFact) -> String {
    let words = |(port, target, node): &(i32, String, Option<i32>)| {
        let outside = node.map_or(String::new(), |node| format!(", node port {node}"));
        format!("port {port} → {target}{outside}")
    };
    service.ports.iter().map(words).collect::<Vec<_>>().join("; ")
}

/// The Service must lead to the ready pods of the Deployment, and to nobody else.
fn endpoints(half: &Half, facts: &Facts, step: u8, task: &str, file: &str) -> Check {
    let check = of(step, task, format!("endpoints of service/{}", half.service_name));
    let redo = format!("kubectl apply -n {} -f {file}", facts.namespace);
    let service = match &half.service {
        Found::There(service) => service,
        Found::Missing => return check.fail("the Service does not exist", redo),
        Found::Unreadable(why) => return check.not_checked(why),
    };
    if let Some(problem) = &half.problem {
        return check.not_checked(problem);
    }
    let ready: BTreeSet<&str> = half.endpoints.iter().filter(|end| end.ready).map(|end| end.ip.as_str()).collect();
    let wanted: BTreeSet<&str> = half.pods.iter().filter(|pod| pod.ready).filter_map(|pod| pod.ip.as_deref()).collect();
    if ready.is_empty() {
        let why = match half.deployment.there() {
            Some(deployment) if !selects(&service.selector, &deployment.labels) => format!(
                "there are none: its selector {} fits no label of the pods ({})",
                labels(&service.selector),
                labels(&deployment.labels)
            ),
            _ if wanted.is_empty() => "there are none: no pod is ready".to_owned(),
            _ => "there are none, although pods are ready".to_owned(),
        };
        return check.fail(why, redo);
    }
    let strangers: Vec<&str> = ready.difference(&wanted).copied().collect();
    let left_out: Vec<&str> = wanted.difference(&ready).copied().collect();
    match (strangers.is_empty(), left_out.is_empty()) {
        (true, true) => check.pass(format!("{} ready: {}", ready.len(), list(&ready))),
        (false, _) => check.fail(
            format!(
                "they lead to {}, which is no ready pod of deployment/{}",
                strangers.join(", "),
                half.deployment_name
            ),
            redo,
        ),
        (true, false) => check.fail(format!("ready pods are left out: {}", left_out.join(", ")), redo),
    }
}

fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn list(values: &BTreeSet<&str>) -> String {
    values.iter().copied().collect::<Vec<_>>().join(", ")
}

fn nginx_configuration(facts: &Facts) -> Check {
    let check = of(3, "3.1", format!("configmap/{GATEWAY_CONFIG} and its mount"));
    let redo = format!("kubectl apply -n {} -f gateway-configmap.yaml", facts.namespace);
    let map = match facts.config_maps.get(GATEWAY_CONFIG) {
        Some(Found::There(map)) => map,
        Some(Found::Unreadable(why)) => return check.not_checked(why),
        _ => return check.fail("it does not exist", redo),
    };
    let service = &facts.upstream.service_name;
    if !map.values().any(|text| text.contains("proxy_pass") && text.contains(service.as_str())) {
        return check.fail(format!("no key of it passes requests to {service}"), redo);
    }
    let Some(deployment) = facts.gateway.deployment.there() else { return check.pass(format!("it names {service}")) };
    let mount = deployment.mounts.iter().find(|mount| mount.kind == "config_map" && mount.name == GATEWAY_CONFIG);
    match mount {
        None => check.fail(
            format!("deployment/{} does not mount it", facts.gateway.deployment_name),
            format!("kubectl apply -n {} -f gateway-deployment.yaml", facts.namespace),
        ),
        Some(mount) => {
            let never = if mount.sub_path.is_some() { ", by subPath: a change needs new pods" } else { "" };
            check.pass(format!("it names {service}, mounted at {}{never}", mount.path))
        }
    }
}
