//! The Job.

use k8s_openapi::api::batch::v1::Job;
use serde_json::json;

use crate::shard::PORT;

/// Label of the pods' Job.
pub const LABEL: &str = "podwitness.dev/load";

/// What the Job is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Image of the load generator.
    pub image: String,
    /// How many senders.
    pub shards: u32,
    /// The longest it may be there, in seconds: should we never come back, it goes by itself.
    pub deadline_s: u64,
}

/// Pods without rights, without a writable root and without a second try: a shard that died has lost its records, and
/// sending again would be another load.
pub fn manifest(plan: &JobPlan) -> Result<Job, serde_json::Error> {
    let labels = json!({ LABEL: plan.name, "app.kubernetes.io/name": "podwitness-load" });
    serde_json::from_value(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": plan.name, "namespace": plan.namespace, "labels": labels },
        "spec": {
            "completionMode": "Indexed",
            "completions": plan.shards,
            "parallelism": plan.shards,
            "backoffLimit": 0,
            "activeDeadlineSeconds": plan.deadline_s,
            "ttlSecondsAfterFinished": 60,
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 5,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "fsGroup": 65532,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    // One node's source ports and cores are what a sender runs out of first.
                    "topologySpreadConstraints": [{
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": { "matchLabels": { LABEL: plan.name } },
                    }],
                    "containers": [{
                        "name": "loadgen",
                        "image": plan.image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": ["shard", "--dir", "/records", "--port", PORT.to_string()],
                        "env": [{ "name": "NODE_NAME", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } }],
                        "resources": { "requests": { "cpu": "100m", "memory": "64Mi" }, "limits": { "memory": "1Gi" } },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": { "drop": ["ALL"] },
                        },
                        "volumeMounts": [{ "name": "records", "mountPath": "/records" }],
                    }],
                    "volumes": [{ "name": "records", "emptyDir": { "sizeLimit": "4Gi" } }],
                },
            },
        },
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_pods_have_no_rights_and_the_job_ends_by_itself() {
        let plan = JobPlan {
            name: "podwitness-load-1".into(),
            namespace: "lab".into(),
            image: "image:1".into(),
            shards: 3,
            deadline_s: 400,
        };
        let spec = manifest(&plan).unwrap().spec.unwrap();
        assert_eq!((spec.completions, spec.parallelism, spec.backoff_limit), (Some(3), Some(3), Some(0)));
        assert_eq!(spec.completion_mode.as_deref(), Some("Indexed"));
        assert_eq!((spec.active_deadline_seconds, spec.ttl_seconds_after_finished), (Some(400), Some(60)));
        let pod = spec.template.spec.unwrap();
        assert_eq!(pod.automount_service_account_token, Some(false));
        let context = pod.containers[0].security_context.clone().unwrap();
        assert_eq!(context.read_only_root_filesystem, Some(true));
        assert_eq!(context.capabilities.unwrap().drop.unwrap(), ["ALL"]);
        assert_eq!(pod.security_context.unwrap().run_as_non_root, Some(true));
    }
}
