//! A pod that lives for a moment and says what it sees (Step 5.1, Q6.2).

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::{LogParams, PostParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::cluster::connect::words;
use crate::cluster::restore::{Change, Journal, remove};
use crate::load::RunId;
use crate::verify::facts::DebugPod;

/// From its creation to its last word.
const PATIENCE: Duration = Duration::from_secs(60);
/// The variable that both `ConfigMaps` set.
const KEY: &str = "PODWITNESS_DUPLICATE";
/// Between the parts of what it says.
const MARK: &str = "== ";

/// What it is to look at.
pub struct Look<'a> {
    /// Id of this look.
    pub id: RunId,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its image: it needs `sh`, `cat` and `nslookup`.
    pub image: &'a str,
    /// Names to look up.
    pub names: &'a [String],
    /// Make two `ConfigMaps` that set one name, and see which one wins.
    pub with_maps: bool,
}

/// Makes it, listens, and takes it away.
pub async fn see(cluster: &Cluster, look: &Look<'_>, journal: &mut Journal) -> DebugPod {
    let mut seen =
        DebugPod { namespace: look.namespace.to_owned(), image: look.image.to_owned(), ..DebugPod::default() };
    let mut made = Vec::new();
    match run(cluster, look, journal, &mut made).await {
        Ok(text) => read(&text, look, &mut seen),
        Err(problem) => seen.problem = Some(problem),
    }
    for change in made.iter().rev() {
        match remove(&cluster.client, change).await {
            // A journal that cannot be written keeps what is gone already: the next start finds nothing to do.
            Ok(_) => drop(journal.retract(change)),
            Err(error) => seen.problem = Some(format!("not taken away: {error}")),
        }
    }
    seen
}

async fn run(
    cluster: &Cluster,
    look: &Look<'_>,
    journal: &mut Journal,
    made: &mut Vec<Change>,
) -> Result<String, String> {
    let name = format!("podwitness-verify-{}", look.id);
    let maps = ["first", "second"].map(|which| (format!("{name}-{which}"), which));
    if look.with_maps {
        let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), look.namespace);
        for (map, which) in &maps {
            let object = json!({"metadata": {"name": map}, "data": {KEY: which}});
            make(&api, "configmap", object, look, journal, made).await?;
        }
    }
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), look.namespace);
    let sources: Vec<Value> =
        maps.iter().filter(|_| look.with_maps).map(|(map, _)| json!({"configMapRef": {"name": map}})).collect();
    let pod = json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "podwitness-verify"}},
        "spec": {
            "restartPolicy": "Never", "activeDeadlineSeconds": 90, "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "look", "image": look.image, "imagePullPolicy": "IfNotPresent", "envFrom": sources,
                "command": ["sh", "-c", script(look)],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
            }],
        },
    });
    make(&api, "pod", pod, look, journal, made).await?;
    wait(&api, &name, look.image).await?;
    api.logs(&name, &LogParams::default())
        .await
        .map_err(|e| format!("cannot read the log of pod/{name}: {}", words(&e)))
}

async fn make<K>(
    api: &Api<K>,
    kind: &str,
    object: Value,
    look: &Look<'_>,
    journal: &mut Journal,
    made: &mut Vec<Change>,
) -> Result<(), String>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let change = Change::Made { object: kind.to_owned(), namespace: look.namespace.to_owned(), name: name.clone() };
    journal.record(change.clone()).map_err(|error| error.to_string())?;
    made.push(change);
    let object: K = serde_json::from_value(object).map_err(|error| error.to_string())?;
    let created = api.create(&PostParams::default(), &object).await;
    created.map(drop).map_err(|e| format!("cannot make {kind}/{name} in namespace {}: {}", look.namespace, words(&e)))
}

fn script(look: &Look<'_>) -> String {
    let mut lines = vec!["cat /etc/resolv.conf".to_owned()];
    for name in look.names {
        lines.push(format!("echo '{MARK}{name}'; nslookup '{name}' 2>&1"));
    }
    lines.push(format!("echo \"{MARK}{KEY}=${KEY}\""));
    lines.join("; ")
}

async fn wait(api: &Api<Pod>, name: &str, image: &str) -> Result<(), String> {
    let started = Instant::now();
    loop {
        let pod = api.get(name).await.map_err(|e| format!("cannot read pod/{name}: {}", words(&e)))?;
        let status = pod.status.unwrap_or_default();
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            return Ok(());
        }
        let waiting = status
            .container_statuses
            .iter()
            .flatten()
            .find_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone());
        if let Some(reason) = waiting.filter(|reason| reason.contains("Image") || reason.contains("Err")) {
            return Err(format!("the image {image} cannot be had: {reason}; choose another with --debug-image"));
        }
        if started.elapsed() > PATIENCE {
            return Err(format!("pod/{name} has not ended after {} s", PATIENCE.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn read(text: &str, look: &Look<'_>, seen: &mut DebugPod) {
    let mut parts = text.split(MARK);
    parts.next().unwrap_or_default().clone_into(&mut seen.resolv_conf);
    for part in parts {
        let (head, rest) = part.split_once('\n').unwrap_or((part, ""));
        if let Some(value) = head.strip_prefix(KEY).and_then(|rest| rest.strip_prefix('=')) {
            seen.duplicate_key = Some(value.trim().to_owned()).filter(|value| look.with_maps && !value.is_empty());
        } else {
            seen.lookups.push((head.to_owned(), addresses(rest)));
        }
    }
}

/// What `nslookup` found: addresses after the first `Name:`; those before are the name server's own.
fn addresses(text: &str) -> Vec<String> {
    let found = text.lines().skip_while(|line| !line.starts_with("Name:"));
    let addresses = found.filter_map(|line| line.strip_prefix("Address")?.split_once(':').map(|(_, rest)| rest.trim()));
    addresses.filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_it_says_is_understood() {
        let names = ["svc".to_owned(), "svc.lab.svc.cluster.local".to_owned()];
        let look = Look {
            id: "00000000deadbeef".parse().unwrap(),
            namespace: "lab",
            image: "i",
            names: &names,
            with_maps: true,
        };
        assert!(script(&look).contains("nslookup 'svc'"), "{}", script(&look));
        let text = "search lab.svc.cluster.local\nnameserver 10.96.0.10\n\
            == svc\nServer:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find svc: NXDOMAIN\n\
            == svc.lab.svc.cluster.local\nServer:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n\
            Name:\tsvc.lab.svc.cluster.local\nAddress: 10.96.0.20\n\n== PODWITNESS_DUPLICATE=second\n";
        let mut seen = DebugPod::default();
        read(text, &look, &mut seen);
        assert!(seen.resolv_conf.starts_with("search lab"));
        assert_eq!(seen.lookups, [("svc".into(), vec![]), (names[1].clone(), vec!["10.96.0.20".to_owned()])]);
        assert_eq!(seen.duplicate_key.as_deref(), Some("second"));
        // Older busybox numbers its addresses.
        assert_eq!(addresses("Name:      svc\nAddress 1: 10.96.0.20 svc.lab\n"), ["10.96.0.20"]);
    }
}
