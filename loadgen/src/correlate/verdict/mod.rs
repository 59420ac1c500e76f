//! Answers to the lab's questions, in words, from what was measured.

mod losses;
mod pod_deletion;
mod propagation;
mod rollout;

pub use propagation::Propagation;

use serde_json::Value;

use super::context::Context;
use crate::report::schema::{Deletion, Failure, Ledger, Measured, Verdict};

/// What a verdict is made from.
pub struct Findings<'r> {
    /// The ledger.
    pub ledger: &'r Ledger,
    /// Every failed request.
    pub failures: &'r [&'r Failure],
    /// Every pod deleted during the run.
    pub deletions: &'r [Deletion],
}

/// The questions that this experiment answers.
pub fn verdicts(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Vec<Verdict> {
    match ctx.raw.run.experiment.as_str() {
        "pod-delete" => vec![pod_deletion::q8_1(ctx, findings)],
        "rollout" => {
            vec![rollout::q10_1(ctx, findings), rollout::q10_2(ctx, findings), rollout::q10_3(ctx, findings)]
        }
        _ => Vec::new(),
    }
}

/// A figure.
fn measured(name: &str, value: Option<f64>, text: impl Into<String>) -> Measured {
    Measured { name: name.to_owned(), value, text: text.into() }
}

/// What happens before a container of the serving pods is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hook {
    /// `preStop.sleep`: done by the kubelet, needs nothing in the image.
    Sleep(u64),
    /// `preStop.exec`: needs its program in the image.
    Exec(String),
    /// `preStop.httpGet`.
    Http,
    /// None.
    Absent,
}

/// The hook of this run: the one that the experiment has set, else that of the pod template as it was found.
/// `None`: neither is in the raw files.
fn hook(ctx: &Context<'_, '_>) -> Option<Hook> {
    if let Some(set) = ctx.raw.run.config.experiment.get("prestop") {
        return match set.split_once(':') {
            None => Some(Hook::Absent),
            Some(("sleep", seconds)) => seconds.parse().ok().map(Hook::Sleep),
            Some((_, command)) => Some(Hook::Exec(command.to_owned())),
        };
    }
    let template = ctx.raw.run.environment.upstream_template.as_ref()?;
    let spec = [template.pointer("/spec/template/spec"), template.pointer("/template/spec"), template.pointer("/spec")]
        .into_iter()
        .flatten()
        .find(|spec| spec.get("containers").is_some())?;
    let hooks = spec["containers"].as_array()?.iter().filter_map(|container| container.pointer("/lifecycle/preStop"));
    let Some(hook) = hooks.into_iter().find(|hook| !hook.is_null()) else { return Some(Hook::Absent) };
    if let Some(seconds) = hook.pointer("/sleep/seconds").and_then(Value::as_u64) {
        return Some(Hook::Sleep(seconds));
    }
    if let Some(command) = hook.pointer("/exec/command").and_then(Value::as_array) {
        let words: Vec<&str> = command.iter().filter_map(Value::as_str).collect();
        return Some(Hook::Exec(words.join(" ")));
    }
    Some(if hook.get("httpGet").is_some() { Hook::Http } else { Hook::Absent })
}
