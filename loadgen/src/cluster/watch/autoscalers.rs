//! `HorizontalPodAutoscaler`s: what they want, what they saw, what they decided.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::Value;

use super::Lens;
use crate::raw::Subject;
use crate::raw::scaling::{AutoscalerCondition, AutoscalerState, ScalingBehavior, ScalingPolicy, ScalingRules};

/// The lens.
pub struct Autoscalers;

impl Lens for Autoscalers {
    type Object = HorizontalPodAutoscaler;
    const NAME: &'static str = "horizontal_pod_autoscalers";

    fn applied(&mut self, object: &HorizontalPodAutoscaler, _listed: bool) -> Option<Subject> {
        Some(Subject::Autoscaler(state(object)))
    }

    fn deleted(&mut self, object: &HorizontalPodAutoscaler) -> Option<Subject> {
        Some(Subject::Autoscaler(AutoscalerState { deleted: true, ..state(object) }))
    }
}

/// Its state of interest.
pub fn state(object: &HorizontalPodAutoscaler) -> AutoscalerState {
    // As JSON: which of the API's fields are optional is of no interest here.
    let object = serde_json::to_value(object).unwrap_or_default();
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
    let small = |path: &str| number(path).and_then(|number| i32::try_from(number).ok());
    let specs = list(&object, "/spec/metrics");
    let statuses = list(&object, "/status/currentMetrics");
    let cpu = specs.iter().find(|metric| is_cpu(metric));
    let measured = statuses.iter().find(|metric| is_cpu(metric)).and_then(|metric| metric.pointer("/resource/current"));
    AutoscalerState {
        name: text(&object, "/metadata/name"),
        uid: text(&object, "/metadata/uid"),
        target: format!(
            "{}/{}",
            text(&object, "/spec/scaleTargetRef/kind").to_lowercase(),
            text(&object, "/spec/scaleTargetRef/name")
        ),
        min_replicas: small("/spec/minReplicas").unwrap_or(1),
        max_replicas: small("/spec/maxReplicas").unwrap_or_default(),
        target_percent: cpu.and_then(|metric| percent(metric.pointer("/resource/target")?)),
        other_metrics: specs
            .iter()
            .filter(|metric| !is_cpu(metric) || percent(&metric["resource"]["target"]).is_none())
            .map(other)
            .collect(),
        behavior: object
            .pointer("/spec/behavior")
            .filter(|behavior| behavior.is_object())
            .map(|behavior| ScalingBehavior { up: rules(&behavior["scaleUp"]), down: rules(&behavior["scaleDown"]) }),
        current_replicas: small("/status/currentReplicas").unwrap_or_default(),
        desired_replicas: small("/status/desiredReplicas").unwrap_or_default(),
        cpu_percent: measured.and_then(percent),
        cpu_average_milli: measured.and_then(|m| crate::raw::quantity::milli(m.get("averageValue")?.as_str()?)),
        last_scale_at: object.pointer("/status/lastScaleTime").and_then(Value::as_str).map(str::to_owned),
        conditions: list(&object, "/status/conditions")
            .iter()
            .map(|condition| AutoscalerCondition {
                kind: text(condition, "/type"),
                status: text(condition, "/status"),
                reason: text(condition, "/reason"),
                message: text(condition, "/message"),
            })
            .collect(),
        deleted: false,
    }
}

fn is_cpu(metric: &Value) -> bool {
    metric["type"] == "Resource" && metric["resource"]["name"] == "cpu"
}

fn percent(target: &Value) -> Option<i32> {
    i32::try_from(target.get("averageUtilization")?.as_i64()?).ok()
}

fn other(metric: &Value) -> String {
    let kind = text(metric, "/type");
    let name = ["/resource/name", "/containerResource/name", "/pods/metric/name", "/object/metric/name"]
        .into_iter()
        .chain(["/external/metric/name"])
        .map(|path| text(metric, path))
        .find(|name| !name.is_empty());
    format!("{kind} {}", name.unwrap_or_default())
}

fn rules(rules: &Value) -> ScalingRules {
    let unsigned = |value: &Value| value.as_u64().and_then(|value| u32::try_from(value).ok());
    ScalingRules {
        window_s: unsigned(&rules["stabilizationWindowSeconds"]),
        select: rules["selectPolicy"].as_str().unwrap_or("Max").to_owned(),
        policies: list(rules, "/policies")
            .iter()
            .map(|policy| ScalingPolicy {
                kind: text(policy, "/type"),
                value: policy["value"].as_i64().and_then(|value| i32::try_from(value).ok()).unwrap_or_default(),
                period_s: unsigned(&policy["periodSeconds"]).unwrap_or_default(),
            })
            .collect(),
        tolerance_ratio: rules["tolerance"]
            .as_str()
            .and_then(crate::raw::quantity::milli)
            .map(|milli| milli as f64 / 1_000.0),
    }
}

fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, path: &str) -> String {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn read(object: Value) -> AutoscalerState {
        state(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn spec_and_status_are_read_as_the_api_writes_them() {
        let state = read(json!({
            "metadata": {"name": "h", "uid": "u"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                "minReplicas": 2, "maxReplicas": 8,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 50}}}],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max",
                    "policies": [{"type": "Percent", "value": 25, "periodSeconds": 60}]}},
            },
            "status": {"currentReplicas": 2, "desiredReplicas": 4, "lastScaleTime": "2026-01-01T00:00:00Z",
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "current": {"averageUtilization": 80, "averageValue": "40m"}}}],
                "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "m"}]},
        }));
        assert_eq!(
            (state.target.as_str(), state.target_percent, state.cpu_percent),
            ("deployment/d", Some(50), Some(80))
        );
        assert_eq!((state.min_replicas, state.max_replicas, state.desired_replicas), (2, 8, 4));
        assert_eq!(state.cpu_average_milli, Some(40));
        let behavior = state.behavior.unwrap();
        assert_eq!(behavior.down.window_s, Some(60));
        assert_eq!(behavior.down.policies[0], ScalingPolicy { kind: "Percent".into(), value: 25, period_s: 60 });
        assert_eq!(state.conditions[0].reason, "ValidMetricFound");
        assert!(state.other_metrics.is_empty());
    }

    #[test]
    fn what_is_not_cpu_in_percent_is_another_metric() {
        let state = read(json!({
            "metadata": {"name": "h"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3,
                "metrics": [{"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization",
                    "averageUtilization": 50}}}]},
        }));
        assert_eq!((state.target_percent, state.min_replicas), (None, 1));
        assert_eq!(state.other_metrics, ["Resource memory"]);
        assert!(state.behavior.is_none() && state.cpu_percent.is_none());
    }
}
