//! Facts → checks. Nothing here asks the cluster.

mod configuration;
pub mod names;
mod requests;
mod workloads;

pub use configuration::{CONFIG_MAPS, GATEWAY_CONFIG, SECRETS};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Found};

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Step of the lab.
    pub step: u8,
    /// Task of the step to do again, e.g. `2.2`.
    pub task: String,
    /// What was checked.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// The figures, or the reason.
    pub detail: String,
    /// What to do. `null`: nothing.
    pub redo: Option<String>,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As the lab has it.
    Pass,
    /// Not so.
    Fail,
    /// It could not be looked at.
    NotChecked,
    /// Nothing of this step is there yet.
    NotReached,
}

/// Titles of the steps.
pub const STEPS: [(u8, &str); 6] = [
    (2, "Deploying the ML Inference Service"),
    (3, "Deploying the API Gateway"),
    (4, "Testing Service-to-Service Communication"),
    (5, "Understanding Service Discovery"),
    (6, "Advanced ConfigMap Usage"),
    (7, "Managing Secrets"),
];

/// The last step that is checked.
pub const LAST_STEP: u8 = 7;

/// Every check up to the last step that is reached, or demanded; those beyond are "not reached". Also says how far the
/// lab has come.
pub fn judge(facts: &Facts, demanded: Option<u8>) -> (Vec<Check>, u8) {
    let reached = reached(facts);
    let until = reached.max(demanded.unwrap_or(0));
    let mut checks = Vec::new();
    if facts.namespace_found.there().is_none() {
        checks.push(namespace(facts));
    }
    checks.extend(workloads::upstream(facts));
    checks.extend(workloads::gateway(facts));
    checks.extend(requests::answers(facts));
    checks.extend(requests::logs(facts));
    checks.extend(names::names(facts));
    checks.extend(configuration::config_maps(facts));
    checks.extend(configuration::secrets(facts));
    for check in checks.iter_mut().filter(|check| check.step > until) {
        check.state = State::NotReached;
        check.detail = String::new();
        check.redo = None;
    }
    (checks, reached)
}

/// The last step of which anything is there. Steps 4 and 5 make nothing: they are reached with the gateway.
fn reached(facts: &Facts) -> u8 {
    let maps = |names: &[&str]| names.iter().any(|name| is_there(facts.config_maps.get(*name)));
    let secrets = |names: &[&str]| names.iter().any(|name| is_there(facts.secrets.get(*name)));
    let template = |half: &super::facts::Half| half.deployment.there().cloned().unwrap_or_default();
    let any = |half: &super::facts::Half| half.deployment.there().is_some() || half.service.there().is_some();
    if secrets(&configuration::SECRETS.map(|(name, _)| name)) || configuration::uses_secret(&template(&facts.gateway)) {
        7
    } else if maps(&configuration::CONFIG_MAPS.map(|(name, _)| name)) || !template(&facts.upstream).env_from.is_empty()
    {
        6
    } else if any(&facts.gateway) || maps(&[configuration::GATEWAY_CONFIG]) {
        5
    } else if any(&facts.upstream) {
        2
    } else {
        u8::from(facts.namespace_found.there().is_some())
    }
}

fn is_there<T>(found: Option<&Found<T>>) -> bool {
    found.is_some_and(|found| found.there().is_some())
}

fn namespace(facts: &Facts) -> Check {
    let check = of(1, "1.3", format!("namespace {}", facts.namespace));
    match &facts.namespace_found {
        Found::Unreadable(why) => check.not_checked(why),
        _ => check.fail("it does not exist", format!("kubectl create namespace {}", facts.namespace)),
    }
}

/// A check that passes until something is said against it.
fn of(step: u8, task: &str, what: impl Into<String>) -> Check {
    Check { step, task: task.to_owned(), what: what.into(), state: State::Pass, detail: String::new(), redo: None }
}

impl Check {
    fn pass(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn fail(mut self, why: impl Into<String>, redo: impl Into<String>) -> Self {
        self.state = State::Fail;
        self.detail = why.into();
        self.redo = Some(redo.into());
        self
    }

    fn not_checked(mut self, why: impl Into<String>) -> Self {
        self.state = State::NotChecked;
        self.detail = why.into();
        self
    }

    fn by_hand(mut self, command: impl Into<String>) -> Self {
        self.redo = Some(command.into());
        self
    }
}
