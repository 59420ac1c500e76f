//! The preStop hook of the serving pods in a run.

use std::fmt;

use serde_json::Value;

use crate::raw::{Environment, RunConfig};

/// What happens before a container of the serving pods is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `preStop.sleep`: done by the kubelet, needs nothing in the image.
    Sleep(u64),
    /// `preStop.exec`: needs its program in the image.
    Exec(String),
    /// `preStop.httpGet`.
    Http,
    /// None.
    Absent,
}

impl Hook {
    /// The hook that the experiment has set, else that of the pod template as it was found. `None`: neither is known.
    pub fn of(config: &RunConfig, environment: &Environment) -> Option<Self> {
        match config.experiment.get("prestop") {
            Some(set) => Self::set_by_experiment(set),
            // Only the template of the serving pods is known.
            None if config.experiment.get("deployment") == Some(&config.gateway_deployment) => None,
            None => Self::in_template(environment.upstream_template.as_ref()?),
        }
    }

    /// From the experiment's own setting.
    pub(super) fn set_by_experiment(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => Some(Self::Absent),
            Some(("sleep", seconds)) => seconds.parse().ok().map(Self::Sleep),
            Some((_, command)) => Some(Self::Exec(command.to_owned())),
        }
    }

    /// From a pod template, in whatever it is wrapped.
    pub(super) fn in_template(template: &Value) -> Option<Self> {
        let spec = [template.pointer("/spec/template/spec"), template.pointer("/template/spec"), template.get("spec")]
            .into_iter()
            .flatten()
            .find(|spec| spec.get("containers").is_some())?;
        let hooks =
            spec["containers"].as_array()?.iter().filter_map(|container| container.pointer("/lifecycle/preStop"));
        let Some(hook) = hooks.into_iter().find(|hook| !hook.is_null()) else { return Some(Self::Absent) };
        if let Some(seconds) = hook.pointer("/sleep/seconds").and_then(Value::as_u64) {
            return Some(Self::Sleep(seconds));
        }
        if let Some(command) = hook.pointer("/exec/command").and_then(Value::as_array) {
            let words: Vec<&str> = command.iter().filter_map(Value::as_str).collect();
            return Some(Self::Exec(words.join(" ")));
        }
        Some(if hook.get("httpGet").is_some() { Self::Http } else { Self::Absent })
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sleep(seconds) => write!(f, "preStop.sleep {seconds} s"),
            Self::Exec(command) => write!(f, "preStop.exec `{command}`"),
            Self::Http => f.write_str("preStop.httpGet"),
            Self::Absent => f.write_str("no preStop hook"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_of_writing_are_read() {
        let template = |prestop: Value| json!({"spec": {"containers": [{"lifecycle": {"preStop": prestop}}]}});
        let sleep = template(json!({"sleep": {"seconds": 5}}));
        assert_eq!(Hook::in_template(&sleep), Some(Hook::Sleep(5)));
        let exec = template(json!({"exec": {"command": ["/bin/sh", "-c", "sleep 10"]}}));
        assert_eq!(Hook::in_template(&exec), Some(Hook::Exec("/bin/sh -c sleep 10".into())));
        assert_eq!(Hook::in_template(&json!({"spec": {"containers": [{}]}})), Some(Hook::Absent));
        assert_eq!(Hook::in_template(&json!({})), None);
        assert_eq!(Hook::set_by_experiment("sleep:5"), Some(Hook::Sleep(5)));
        assert_eq!(Hook::set_by_experiment("exec:/bin/sh -c sleep 10"), Some(Hook::Exec("/bin/sh -c sleep 10".into())));
        assert_eq!(Hook::set_by_experiment("none"), Some(Hook::Absent));
    }
}
