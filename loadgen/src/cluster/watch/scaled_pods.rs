//! Pods as an autoscaler sees them: requests, and the times by which it decides whether a sample of theirs counts.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::Value;

use super::Lens;
use crate::raw::Subject;
use crate::raw::quantity::milli;
use crate::raw::scaling::ScaledPod;

pub struct ScaledPods;

impl Lens for ScaledPods {
    type Object = Pod;
    const NAME: &'static str = "scaled_pods";

    fn applied(&mut self, pod: &Pod, _listed: bool) -> Option<Subject> {
        Some(Subject::ScaledPod(state(pod)))
    }

    fn deleted(&mut self, pod: &Pod) -> Option<Subject> {
        Some(Subject::ScaledPod(ScaledPod { deleted: true, ..state(pod) }))
    }
}

fn state(pod: &Pod) -> ScaledPod {
    let object = serde_json::to_value(pod).unwrap_or_default();
    let list = |path: &str| object.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let conditions = list("/status/conditions");
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    // Of the containers that run first, only those that stay count.
    let sidecars = list("/spec/initContainers").into_iter().filter(|c| c["restartPolicy"] == "Always");
    let containers = list("/spec/containers").into_iter().chain(sidecars);
    let requests = containers.map(|c| milli(c.pointer("/resources/requests/cpu")?.as_str()?));
    ScaledPod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        labels: pod.labels().clone(),
        phase: object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default().to_owned(),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        ready: ready.map(|condition| condition["status"] == "True"),
        ready_changed_s: ready.and_then(|condition| seconds(&condition["lastTransitionTime"])),
        started_s: object.pointer("/status/startTime").and_then(seconds),
        cpu_request_milli: requests.sum::<Option<i64>>(),
        deleted: false,
    }
}

/// RFC 3339 → seconds since 1970.
fn seconds(value: &Value) -> Option<i64> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_summed_and_times_are_seconds() {
        let pod = |requests: Value| -> ScaledPod {
            state(
                &serde_json::from_value(json!({
                    "metadata": {"name": "p", "uid": "u", "labels": {"app": "d"}},
                    "spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "50m"}}},
                        {"name": "b", "resources": {"requests": requests}}]},
                    "status": {"phase": "Running", "startTime": "1970-01-01T00:01:40Z", "conditions": [
                        {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:01:42Z"}]},
                }))
                .unwrap(),
            )
        };
        let both = pod(json!({"cpu": "0.1"}));
        assert_eq!((both.cpu_request_milli, both.ready), (Some(150), Some(true)));
        assert_eq!((both.started_s, both.ready_changed_s), (Some(100), Some(102)));
        assert_eq!(pod(json!({})).cpu_request_milli, None, "a container without a request leaves nothing to divide by");
    }
}
