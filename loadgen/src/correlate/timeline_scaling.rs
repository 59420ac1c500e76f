//! The time line's sentences about autoscalers and replicas.

use crate::raw::scaling::{AutoscalerState, DeploymentState};

/// What changed in an autoscaler: kind and sentence.
pub fn autoscaler_changes(before: Option<&AutoscalerState>, now: &AutoscalerState) -> Vec<(&'static str, String)> {
    let Some(before) = before else { return Vec::new() };
    let mut changes = Vec::new();
    let percent = |value: Option<i32>| value.map_or_else(|| "not known".to_owned(), |value| format!("{value} %"));
    if now.deleted && !before.deleted {
        changes.push(("autoscaler_gone", "is gone".to_owned()));
        return changes;
    }
    if now.desired_replicas != before.desired_replicas {
        let (sees, target) = (percent(now.cpu_percent), percent(now.target_percent));
        let what = format!(
            "wants {} replicas instead of {}: it sees {sees} CPU, its target is {target}",
            now.desired_replicas, before.desired_replicas
        );
        changes.push(("autoscaler_decided", what));
    }
    for condition in &now.conditions {
        let known = before.conditions.iter().find(|other| other.kind == condition.kind);
        if known.is_none_or(|known| known.reason != condition.reason || known.status != condition.status) {
            let what = format!("{} {} ({}): {}", condition.kind, condition.status, condition.reason, condition.message);
            changes.push(("autoscaler_condition", what));
        }
    }
    changes
}

/// A change of a Deployment's replicas.
pub fn replicas_change(before: Option<&DeploymentState>, now: &DeploymentState) -> Option<String> {
    let before = before.filter(|before| before.replicas != now.replicas && !now.deleted)?;
    let by = now.replicas_by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
    Some(format!("set from {} to {} replicas{by}", before.replicas, now.replicas))
}
