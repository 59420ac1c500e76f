//! preStop hooks: what a pod does between "delete it" and SIGTERM.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// A preStop hook to put into the serving container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreStop {
    /// None at all.
    None,
    /// A command in the container: needs a shell in the image.
    Exec(Vec<String>),
    /// The kubelet's own pause: needs nothing in the image.
    Sleep {
        /// Length.
        seconds: u32,
    },
}

/// Not a hook.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no hook: use `none`, `exec` (the assignment's `sleep 10` in a shell), `exec:COMMAND` or `sleep:SECONDS`"
)]
pub struct PreStopError(String);

impl FromStr for PreStop {
    type Err = PreStopError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shell = |command: &str| Self::Exec(["/bin/sh", "-c", command].map(str::to_owned).into());
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            None if text == "exec" => Ok(shell("sleep 10")),
            Some(("exec", command)) if !command.is_empty() => Ok(shell(command)),
            Some(("sleep", seconds)) => match seconds.trim_end_matches('s').parse() {
                Ok(seconds) if seconds > 0 => Ok(Self::Sleep { seconds }),
                _ => Err(PreStopError(text.to_owned())),
            },
            _ => Err(PreStopError(text.to_owned())),
        }
    }
}

impl fmt::Display for PreStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Exec(command) => write!(f, "exec:{}", command.join(" ")),
            Self::Sleep { seconds } => write!(f, "sleep:{seconds}"),
        }
    }
}

impl PreStop {
    /// Puts the hook into the first container of a pod template. The handler is replaced as a whole: a template may not
    /// name two of them.
    pub fn put_into(&self, template: &mut Value) {
        let Some(container) = template.pointer_mut("/spec/containers/0").and_then(Value::as_object_mut) else {
            return;
        };
        let handler = match self {
            Self::None => None,
            Self::Exec(command) => Some(json!({"exec": {"command": command}})),
            Self::Sleep { seconds } => Some(json!({"sleep": {"seconds": seconds}})),
        };
        let lifecycle = container.entry("lifecycle").or_insert_with(|| json!({}));
        if lifecycle.is_null() {
            *lifecycle = json!({});
        }
        let Some(hooks) = lifecycle.as_object_mut() else { return };
        match handler {
            Some(handler) => {
                hooks.insert("preStop".to_owned(), handler);
            }
            None => {
                hooks.remove("preStop");
            }
        }
        if hooks.is_empty() {
            container.remove("lifecycle");
        }
    }

    /// The pause it makes, as far as it is known.
    pub fn seconds(&self) -> Option<u32> {
        match self {
            Self::None => Some(0),
            Self::Sleep { seconds } => Some(*seconds),
            Self::Exec(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn after(hook: &str, container: &Value) -> Value {
        let mut template = json!({"spec": {"containers": [container]}});
        hook.parse::<PreStop>().unwrap().put_into(&mut template);
        template["spec"]["containers"][0].clone()
    }

    #[test]
    fn a_hook_replaces_the_other_kind() {
        let exec = json!({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}});
        assert_eq!(after("sleep:5", &exec), json!({"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}));
        assert_eq!(after("none", &exec), json!({}));
        assert_eq!(after("none", &json!({"name": "a"})), json!({"name": "a"}));
    }

    #[test]
    fn post_start_is_left_alone() {
        let both = json!({"lifecycle": {"postStart": {"exec": {}}, "preStop": {"exec": {}}}});
        assert_eq!(after("none", &both), json!({"lifecycle": {"postStart": {"exec": {}}}}));
    }

    #[test]
    fn the_assignments_hook_is_a_shell_that_sleeps() {
        let lifecycle = after("exec", &json!({}));
        assert_eq!(lifecycle.pointer("/lifecycle/preStop/exec/command"), Some(&json!(["/bin/sh", "-c", "sleep 10"])));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "sleep", "sleep:", "sleep:0", "sleep:x", "exec:", "other"] {
            assert!(text.parse::<PreStop>().is_err(), "{text}");
        }
        assert_eq!("sleep:5s".parse::<PreStop>().unwrap(), PreStop::Sleep { seconds: 5 });
    }
}
