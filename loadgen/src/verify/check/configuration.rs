//! Steps 6 and 7: `ConfigMaps`, Secrets, and the environments that are made of them.

use super::{Check, of};
use crate::verify::environment::environment;
use crate::verify::facts::{DeploymentFact, EnvSource, Facts, Found};

/// The gateway's `ConfigMap` (3.1).
pub const GATEWAY_CONFIG: &str = "gateway-config";

/// 6.1 and 6.2, with their keys.
pub const CONFIG_MAPS: [(&str, &[&str]); 2] = [
    ("shared-config", &["ENVIRONMENT", "LOG_LEVEL", "MODEL_NAME", "REQUEST_TIMEOUT"]),
    ("ml-config", &["TENSORFLOW_INTRA_OP_PARALLELISM", "TENSORFLOW_INTER_OP_PARALLELISM", "BATCH_SIZE"]),
];

/// 7.1 and 7.2, with their keys.
pub const SECRETS: [(&str, &[&str]); 2] = [
    ("api-credentials", &["API_KEY", "JWT_SECRET"]),
    ("ml-registry-credentials", &["REGISTRY_USER", "REGISTRY_PASSWORD"]),
];

/// A value from a Secret is in the environment, or a Secret is mounted.
pub fn uses_secret(deployment: &DeploymentFact) -> bool {
    deployment.env.iter().any(|variable| matches!(variable.from, EnvSource::Secret { .. }))
        || deployment.env_from.iter().any(|from| from.kind == "secret")
        || deployment.mounts.iter().any(|mount| mount.kind == "secret")
}

/// Step 6.
pub fn config_maps(facts: &Facts) -> Vec<Check> {
    let mut checks = Vec::new();
    for ((name, keys), (task, file)) in
        CONFIG_MAPS.into_iter().zip([("6.1", "shared-config.yaml"), ("6.2", "ml-config.yaml")])
    {
        let check = of(6, task, format!("configmap/{name}"));
        let redo = format!("kubectl apply -n {} -f {file}", facts.namespace);
        checks.push(match facts.config_maps.get(name) {
            Some(Found::There(map)) => keys_of(check, keys, |key| map.contains_key(key), redo),
            Some(Found::Unreadable(why)) => check.not_checked(why),
            _ => check.fail("it does not exist", redo),
        });
    }
    checks.push(sources(facts));
    checks.push(duplicates(facts));
    checks
}

fn keys_of(check: Check, keys: &[&str], has: impl Fn(&str) -> bool, redo: String) -> Check {
    let missing: Vec<&str> = keys.iter().copied().filter(|key| !has(key)).collect();
    if missing.is_empty() {
        check.pass(format!("has {}", keys.join(", ")))
    } else {
        check.fail(format!("lacks {}", missing.join(", ")), redo)
    }
}

/// 6.3 and 6.5: the pods' environment comes from both, and the pods are of that template.
fn sources(facts: &Facts) -> Check {
    let half = &facts.upstream;
    let check = of(6, "6.3", format!("environment of deployment/{}", half.deployment_name));
    let redo = format!("kubectl apply -n {} -f ml-service-deployment.yaml", facts.namespace);
    let Some(deployment) = half.deployment.there() else { return check.fail("the Deployment does not exist", redo) };
    let from: Vec<&str> = deployment.env_from.iter().map(|from| from.name.as_str()).collect();
    let missing: Vec<&str> = CONFIG_MAPS.iter().map(|(name, _)| *name).filter(|name| !from.contains(name)).collect();
    if !missing.is_empty() {
        return check.fail(format!("envFrom does not name {}", missing.join(", ")), redo);
    }
    if deployment.unfinished.is_some() {
        let status = format!("kubectl rollout status -n {} deployment/{}", facts.namespace, half.deployment_name);
        return check.fail("not all pods are of this template yet", status);
    }
    check.pass(format!("envFrom {}: {} variables", from.join(", then "), environment(deployment, facts).len()))
}

/// Q6.2: names that more than one source sets.
fn duplicates(facts: &Facts) -> Check {
    let check = of(6, "6.5", "names that two sources set");
    let Some(deployment) = facts.upstream.deployment.there() else {
        return check.not_checked("the Deployment does not exist");
    };
    let variables = environment(deployment, facts);
    let twice: Vec<String> = variables
        .iter()
        .filter(|(_, variable)| !variable.overridden.is_empty())
        .map(|(name, variable)| format!("{name}: {} wins over {}", variable.source, variable.overridden.join(", ")))
        .collect();
    let tried = facts.debug_pods.iter().find_map(|pod| pod.duplicate_key.as_deref());
    let tried = tried.map_or(String::new(), |which| {
        format!("; tried in a pod with two ConfigMaps that set one name: the {which} of envFrom wins")
    });
    check.pass(if twice.is_empty() { format!("there are none{tried}") } else { format!("{}{tried}", twice.join("; ")) })
}

/// Step 7.
pub fn secrets(facts: &Facts) -> Vec<Check> {
    let mut checks = Vec::new();
    for ((name, keys), task) in SECRETS.into_iter().zip(["7.1", "7.2"]) {
        let check = of(7, task, format!("secret/{name}"));
        let literals: Vec<String> = keys.iter().map(|key| format!("--from-literal={key}=…")).collect();
        let redo = format!("kubectl create secret generic {name} -n {} {}", facts.namespace, literals.join(" "));
        checks.push(match facts.secrets.get(name) {
            Some(Found::There(map)) => keys_of(check, keys, |key| map.contains_key(key), redo),
            Some(Found::Unreadable(why)) => check.not_checked(why),
            _ => check.fail("it does not exist", redo),
        });
    }
    checks.push(used(facts));
    checks
}

/// 7.4: the gateway has `API_KEY` from the Secret, and what its template names exists.
fn used(facts: &Facts) -> Check {
    let half = &facts.gateway;
    let check = of(7, "7.4", format!("API_KEY in the environment of deployment/{}", half.deployment_name));
    let redo = format!("kubectl apply -n {} -f gateway-deployment.yaml", facts.namespace);
    let Some(deployment) = half.deployment.there() else { return check.fail("the Deployment does not exist", redo) };
    let source = deployment.env.iter().find(|variable| variable.name == "API_KEY").map(|variable| &variable.from);
    let (name, key) = match source {
        Some(EnvSource::Secret { name, key }) => (name, key),
        Some(_) => return check.fail("it is set, but not from a Secret", redo),
        None => return check.fail("its template does not set it", redo),
    };
    match facts.secrets.get(name) {
        Some(Found::There(map)) if map.contains_key(key) => {}
        Some(Found::Unreadable(why)) => return check.not_checked(why),
        Some(Found::There(_)) => return check.fail(format!("secret/{name} has no key {key}"), redo),
        _ => {
            let why = format!("secret/{name}, where it comes from, does not exist: pods that start now will not run");
            return check.fail(
                why,
                format!(
                    "do 7.1 again, then kubectl rollout restart -n {} deployment/{}",
                    facts.namespace, half.deployment_name
                ),
            );
        }
    }
    if deployment.unfinished.is_some() {
        let status = format!("kubectl rollout status -n {} deployment/{}", facts.namespace, half.deployment_name);
        return check.fail("not all pods are of this template yet", status);
    }
    check.pass(format!("from secret/{name}, key {key}"))
}
