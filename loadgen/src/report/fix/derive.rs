//! The smallest change that the evidence of a run supports.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::FixChange;
use crate::correlate::Propagation;
use crate::report::Hook;
use crate::report::schema::{Cause, Report};

/// Grace of a pod whose template names none: Kubernetes' default, in seconds.
const DEFAULT_GRACE_S: u64 = 30;
/// Between the end of the hook and of the grace, besides the longest request seen.
const GRACE_MARGIN_S: u64 = 5;

/// What follows from a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// Changes, the serving pods' first. Empty: none is known to help.
    pub changes: Vec<FixChange>,
    /// Failures that none of them concerns.
    pub no_change_known: BTreeMap<Cause, u64>,
    /// Why not more.
    pub notes: Vec<String>,
}

/// Derives it.
pub fn derive(report: &Report) -> Derived {
    let mut derived = Derived::default();
    for failure in &report.failures {
        *derived.no_change_known.entry(failure.cause).or_insert(0) += 1;
    }
    for part in [Part::upstream(report), Part::gateway(report)] {
        let concerned: u64 = derived.no_change_known.iter().filter(|(c, _)| part.concerns(**c)).map(|(_, n)| n).sum();
        if concerned == 0 {
            continue;
        }
        match part.change(report, concerned) {
            Ok(change) => {
                derived.changes.push(change);
                derived.no_change_known.retain(|cause, _| !part.concerns(*cause));
            }
            Err(why) => derived.notes.push(why),
        }
    }
    for (cause, n) in &derived.no_change_known {
        derived.notes.push(format!("{n} requests were {}: no change is known to help against that", cause.in_words()));
    }
    derived
}

/// One of the two parts of the lab.
struct Part<'r> {
    role: &'static str,
    deployment: &'r str,
    template: Option<&'r Value>,
}

impl<'r> Part<'r> {
    fn upstream(report: &'r Report) -> Self {
        let template = report.environment.upstream_template.as_ref();
        Self { role: "upstream", deployment: &report.config.upstream_deployment, template }
    }

    fn gateway(report: &'r Report) -> Self {
        let template = report.environment.gateway_template.as_ref();
        Self { role: "gateway", deployment: &report.config.gateway_deployment, template }
    }

    /// Losses that end when the pod goes on serving until nobody sends to it any more. A stale NAT entry begins with an
    /// unanswered attempt, so it is one of them; a kept connection that the pod closes is not.
    fn concerns(&self, cause: Cause) -> bool {
        match self.role {
            "gateway" => cause == Cause::GatewayTerminated,
            _ => cause.is_of_a_deleted_pod() && cause != Cause::StaleKeepalive,
        }
    }

    fn change(&self, report: &Report, concerned: u64) -> Result<FixChange, String> {
        let deployment = self.deployment;
        let propagation = Propagation::of(&report.deletions, self.role);
        let measured_ms = [propagation.last_new_connection_ms, propagation.endpoint_removed_ms];
        let Some(measured_ms) = measured_ms.into_iter().flatten().reduce(f64::max) else {
            return Err(format!(
                "{concerned} requests were lost at pods of deployment/{deployment} that ended, but how long connections were still sent to such a pod was not measured"
            ));
        };
        let sleep_s = propagation.advised_sleep_s().unwrap_or(1);
        let hook = self.hook(report);
        if let Some(Hook::Sleep(now_s)) = hook
            && now_s >= sleep_s
        {
            return Err(format!(
                "{concerned} requests were lost at pods of deployment/{deployment} although their preStop.sleep of {now_s} s is longer than the {sleep_s} s that were measured to be needed: no change is known to help"
            ));
        }
        let Some(container) = self.template.and_then(|t| t.pointer("/spec/containers/0/name")).and_then(Value::as_str)
        else {
            return Err(format!(
                "the pod template of deployment/{deployment} could not be read, so it cannot be patched"
            ));
        };
        let grace_s = self.grace_needed_s(report, sleep_s);
        let patch = patch(container, hook.as_ref(), sleep_s, grace_s);
        let namespace = &report.config.namespace;
        let kubectl = format!("kubectl patch deployment {deployment} -n {namespace} --type strategic -p '{patch}'");
        let failed = report.deletions.iter().filter(|d| d.role == self.role && d.hook_failed.is_some()).count();
        let replaced = match hook {
            Some(Hook::Exec(command)) if failed > 0 => {
                format!(" It replaces exec `{command}`, which failed for {failed} pods (FailedPreStopHook).")
            }
            Some(hook @ (Hook::Exec(_) | Hook::Http | Hook::Sleep(_))) => format!(" It replaces {hook}."),
            Some(Hook::Absent) | None => String::new(),
        };
        let grace = grace_s
            .map(|s| format!(" The grace must cover hook and longest request, so it becomes {s} s."))
            .unwrap_or_default();
        let why = format!(
            "{concerned} requests were lost at pods of deployment/{deployment} that ended. Connections were still sent to such a pod for up to {measured_ms:.0} ms after its deletion (taken as at least 1 s, the pause between two syncs of kube-proxy); doubled as a margin, one second more for requests on their way, and rounded up: {sleep_s} s.{replaced}{grace}"
        );
        Ok(FixChange {
            deployment: deployment.to_owned(),
            role: self.role.to_owned(),
            patch,
            kubectl,
            sleep_s,
            concerns_failed_count: concerned,
            why,
        })
    }

    /// The hook that the pods had: set by the experiment, else that of the template.
    fn hook(&self, report: &Report) -> Option<Hook> {
        let set = report.config.experiment.get("prestop");
        let acted_on = report.config.experiment.get("deployment").is_some_and(|name| name == self.deployment);
        match set.filter(|_| acted_on) {
            Some(set) => Hook::set_by_experiment(set),
            None => Hook::in_template(self.template?),
        }
    }

    /// A longer grace, where the template's would end the pod before hook and longest request have.
    fn grace_needed_s(&self, report: &Report, sleep_s: u64) -> Option<u64> {
        let named =
            self.template.and_then(|t| t.pointer("/spec/terminationGracePeriodSeconds")).and_then(Value::as_u64);
        let longest_us = report.latency.from_sent.as_ref().map_or(0, |latency| latency.max_us);
        let needed_s = sleep_s + longest_us.div_ceil(1_000_000) + GRACE_MARGIN_S;
        (named.unwrap_or(DEFAULT_GRACE_S) < needed_s).then_some(needed_s)
    }
}

/// A strategic merge patch: a handler of another kind must be taken away by name.
fn patch(container: &str, hook: Option<&Hook>, sleep_s: u64, grace_s: Option<u64>) -> Value {
    let mut prestop = Map::new();
    match hook {
        Some(Hook::Exec(_)) => _ = prestop.insert("exec".to_owned(), Value::Null),
        Some(Hook::Http) => _ = prestop.insert("httpGet".to_owned(), Value::Null),
        _ => {}
    }
    prestop.insert("sleep".to_owned(), json!({"seconds": sleep_s}));
    let mut spec = Map::new();
    spec.insert("containers".to_owned(), json!([{"name": container, "lifecycle": {"preStop": prestop}}]));
    if let Some(grace_s) = grace_s {
        spec.insert("terminationGracePeriodSeconds".to_owned(), json!(grace_s));
    }
    json!({"spec": {"template": {"spec": spec}}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_takes_the_other_handler_away_and_touches_nothing_else() {
        let exec = Hook::Exec("/bin/sh -c sleep 10".into());
        assert_eq!(
            patch("ml-model", Some(&exec), 4, None),
            json!({"spec": {"template": {"spec": {"containers": [
                {"name": "ml-model", "lifecycle": {"preStop": {"exec": null, "sleep": {"seconds": 4}}}}]}}}})
        );
        let text = patch("c", Some(&Hook::Absent), 4, Some(40)).to_string();
        assert!(!text.contains("null") && text.contains("\"terminationGracePeriodSeconds\":40"), "{text}");
    }
}
