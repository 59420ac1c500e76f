//! Making one pod slow, and reading how it was before: by the server's own switch, or by its CPU limit.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{ActError, Actor};
use crate::load::monotonic_ns;

/// How long the kubelet may take to apply a limit.
const RESIZE_PATIENCE: Duration = Duration::from_secs(60);

/// The wait before each answer, as the inference server's `/_admin` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Wait.
    pub delay_ms: u64,
    /// Plus or minus this.
    pub jitter_ms: u64,
}

/// A container's CPU as its pod asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Container.
    pub container: String,
    /// `limits.cpu`.
    pub limit: String,
    /// `requests.cpu`.
    pub request: Option<String>,
}

/// What an action is called on the time line, and its details.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    /// Name of the action.
    pub name: &'t str,
    /// Details.
    pub detail: &'t str,
}

impl Actor {
    /// The pod with that name, if it is still the same one.
    pub async fn same_pod(&self, name: &str, uid: &str) -> Result<Option<Pod>, ActError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let pod = api.get_opt(name).await.map_err(ActError::api(format!("read pod/{name}")))?;
        Ok(pod.filter(|pod| pod.uid().as_deref() == Some(uid)))
    }

    /// The server's own wait. `None`: it has no such switch.
    pub async fn delay(&self, pod: &str, port: u16) -> Option<Delay> {
        self.admin(hyper::Method::GET, pod, port, "").await.ok().flatten()
    }

    /// Sets the server's wait.
    pub async fn set_delay(
        &self,
        pod: &str,
        uid: &str,
        port: u16,
        delay: Delay,
        told: Told<'_>,
    ) -> Result<(), ActError> {
        let query = format!("?delay_ms={}&jitter_ms={}", delay.delay_ms, delay.jitter_ms);
        let requested_ns = monotonic_ns();
        let now = self.admin(hyper::Method::POST, pod, port, &query).await?;
        if now != Some(delay) {
            return Err(ActError::Unfit {
                what: format!("the server of pod/{pod} did not take delay_ms={}", delay.delay_ms),
                fix: "use --by cpu: it needs nothing in the image".to_owned(),
            });
        }
        self.timeline.action(told.name, &format!("pod/{pod}"), Some(uid.to_owned()), requested_ns, told.detail);
        Ok(())
    }

    async fn admin(&self, method: hyper::Method, pod: &str, port: u16, query: &str) -> Result<Option<Delay>, ActError> {
        let what = format!("ask pod/{pod} for its switches through the API server");
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy/_admin{query}", self.namespace);
        let request = hyper::Request::builder().method(method).uri(path).body(Vec::new());
        let request = request.map_err(|error| ActError::Unfit { what: error.to_string(), fix: what.clone() })?;
        let text = self.client.request_text(request).await.map_err(ActError::api(what))?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        Ok(number("delay_ms").zip(number("jitter_ms")).map(|(delay_ms, jitter_ms)| Delay { delay_ms, jitter_ms }))
    }

    /// Whether this API server changes pods in place.
    pub async fn can_resize(&self) -> bool {
        let resources = self.client.list_core_api_resources("v1").await;
        resources.is_ok_and(|list| list.resources.iter().any(|resource| resource.name == "pods/resize"))
    }

    /// Changes a container's CPU in place, and waits until the kubelet has done it.
    pub async fn set_cpu(&self, pod: &str, uid: &str, cpu: &Cpu, told: Told<'_>) -> Result<(), ActError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut resources = json!({"limits": {"cpu": cpu.limit}});
        if let Some(request) = &cpu.request {
            resources["requests"] = json!({"cpu": request});
        }
        let patch = json!({
            "metadata": {"uid": uid},
            "spec": {"containers": [{"name": cpu.container, "resources": resources}]},
        });
        let requested_ns = monotonic_ns();
        let what = format!("change the CPU limit of pod/{pod} in place");
        api.patch_subresource("resize", pod, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .map_err(ActError::api(what.clone()))?;
        let started = tokio::time::Instant::now();
        loop {
            let now = api.get(pod).await.map_err(ActError::api(what.clone()))?;
            if limit_in_force(&now, &cpu.container).and_then(|limit| milli(&limit)) == milli(&cpu.limit) {
                break;
            }
            if started.elapsed() > RESIZE_PATIENCE {
                return Err(ActError::TimedOut {
                    what: format!("the CPU limit of pod/{pod} is not {}", cpu.limit),
                    waited_s: started.elapsed().as_secs_f64(),
                    state: resize_state(&now),
                    fix: "use --by delay, or look at `kubectl describe pod`".to_owned(),
                });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.timeline.action(told.name, &format!("pod/{pod}"), Some(uid.to_owned()), requested_ns, told.detail);
        Ok(())
    }
}

/// CPU of a pod's first container. `None`: it has no CPU limit.
pub fn cpu_of(pod: &Pod) -> Option<Cpu> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let resources = container.resources.as_ref()?;
    let cpu = |of: Option<&BTreeMap<String, Quantity>>| Some(of?.get("cpu")?.0.clone());
    let (limit, request) = (cpu(resources.limits.as_ref())?, cpu(resources.requests.as_ref()));
    Some(Cpu { container: container.name.clone(), limit, request })
}

/// The same container with a lower limit. The pod must keep its quality-of-service class, or the API server refuses: equal
/// request and limit stay equal, unequal ones unequal.
pub fn lowered(cpu: &Cpu, limit_milli: u64) -> Cpu {
    let (limit, request) = (milli(&cpu.limit), cpu.request.as_deref().and_then(milli));
    let request = request.map(|request| {
        if limit == Some(request) { limit_milli } else { request.min(limit_milli.saturating_sub(1)).max(1) }
    });
    Cpu {
        container: cpu.container.clone(),
        limit: format!("{limit_milli}m"),
        request: request.map(|request| format!("{request}m")),
    }
}

/// First port of the first container.
pub fn port_of(pod: &Pod) -> Option<u16> {
    let ports = pod.spec.as_ref()?.containers.first()?.ports.as_ref()?;
    u16::try_from(ports.first()?.container_port).ok()
}

/// A quantity of CPU in thousandths of a core.
pub fn milli(quantity: &str) -> Option<u64> {
    let cores = match quantity.strip_suffix('m') {
        Some(thousandths) => return thousandths.parse().ok(),
        None => quantity.parse::<f64>().ok()?,
    };
    (cores >= 0.0).then(|| (cores * 1_000.0).round() as u64)
}

fn limit_in_force(pod: &Pod, container: &str) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == container)?;
    Some(status.resources.as_ref()?.limits.as_ref()?.get("cpu")?.0.clone())
}

/// What the kubelet says of a change that it has not made.
fn resize_state(pod: &Pod) -> String {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let told = conditions.into_iter().flatten().filter(|condition| condition.type_.starts_with("PodResize"));
    let words: Vec<String> = told
        .map(|condition| {
            format!(
                "{} {}",
                condition.reason.as_deref().unwrap_or_default(),
                condition.message.as_deref().unwrap_or_default()
            )
        })
        .collect();
    if words.is_empty() { "the kubelet says nothing".to_owned() } else { words.join("; ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantities_are_read() {
        for (text, expected) in [("100m", Some(100)), ("2", Some(2_000)), ("0.5", Some(500)), ("x", None), ("-1", None)]
        {
            assert_eq!(milli(text), expected, "{text}");
        }
    }

    #[test]
    fn the_class_of_the_pod_stays() {
        let cpu = |limit: &str, request: Option<&str>| Cpu {
            container: "c".into(),
            limit: limit.into(),
            request: request.map(str::to_owned),
        };
        assert_eq!(lowered(&cpu("100m", Some("50m")), 20), cpu("20m", Some("19m")));
        assert_eq!(lowered(&cpu("1", Some("1")), 20), cpu("20m", Some("20m")));
        assert_eq!(lowered(&cpu("2", Some("10m")), 20), cpu("20m", Some("10m")));
        assert_eq!(lowered(&cpu("2", None), 20), cpu("20m", None));
    }

    #[test]
    fn a_pods_first_container_counts() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [
            {"name": "a", "ports": [{"containerPort": 5000}], "resources": {"limits": {"cpu": "2"}}},
            {"name": "b", "resources": {"limits": {"cpu": "3"}}},
        ]}}))
        .unwrap();
        assert_eq!(cpu_of(&pod), Some(Cpu { container: "a".into(), limit: "2".into(), request: None }));
        assert_eq!(port_of(&pod), Some(5000));
        assert_eq!(cpu_of(&Pod::default()), None);
    }
}
