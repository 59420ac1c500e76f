//! `loadgen verify`: what is judged from what a cluster said.

use loadgen::verify::facts::{EnvSource, Facts, Found, ServiceFact};
use loadgen::verify::{Check, State, judge};

use crate::lab::whole;

fn failed(facts: &Facts) -> Vec<Check> {
    judge(facts, None).0.into_iter().filter(|check| check.state == State::Fail).collect()
}

/// Exactly this task is to be done again, for a reason with these words.
fn fails(change: impl FnOnce(&mut Facts), task: &str, words: &str) {
    let mut facts = whole(2);
    change(&mut facts);
    let failed = failed(&facts);
    assert!(
        failed.iter().any(|check| check.task == task && check.detail.contains(words)),
        "{task} {words}: {failed:#?}"
    );
    assert!(failed.iter().all(|check| check.redo.is_some()), "{failed:#?}");
}

fn service(facts: &mut Facts) -> &mut ServiceFact {
    match &mut facts.upstream.service {
        Found::There(service) => service,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_lab_passes() {
    let (checks, reached) = judge(&whole(2), Some(7));
    assert_eq!(reached, 7);
    assert!(checks.iter().all(|check| check.state == State::Pass), "{checks:#?}");
    for step in 2..=7 {
        assert!(checks.iter().any(|check| check.step == step), "step {step} has no check");
    }
}

#[test]
fn each_flaw_is_named_with_its_task() {
    fails(
        |facts| {
            service(facts).selector.insert("app".into(), "ml-inferense".into());
            facts.upstream.endpoints.clear();
        },
        "2.2",
        "its selector app=ml-inferense fits no label of the pods (app=ml-inference)",
    );
    fails(|facts| service(facts).kind = "NodePort".into(), "2.2", "its type is NodePort");
    fails(|facts| facts.upstream.endpoints[0].ip = "10.244.9.9".into(), "2.2", "10.244.9.9, which is no ready pod");
    fails(|facts| facts.upstream.deployment = Found::Missing, "2.1", "does not exist");
    fails(
        |facts| {
            let Found::There(deployment) = &mut facts.gateway.deployment else { panic!() };
            deployment.ready = 0;
            for pod in &mut facts.gateway.pods {
                pod.ready = false;
                pod.why = Some("CreateContainerConfigError: secret \"api-credentials\" not found".into());
            }
        },
        "3.2",
        "CreateContainerConfigError",
    );
    fails(|facts| drop(facts.config_maps.insert("gateway-config".into(), Found::Missing)), "3.1", "does not exist");
    fails(|facts| facts.http[2].status = Some(504), "4.4", "status 504");
    fails(|facts| facts.http[2].body = "OK!".into(), "4.4", "the answer is `OK!`");
    fails(|facts| facts.upstream_log.found.clear(), "4.5", "none of them of this request");
    fails(|facts| facts.dns.lookups[0].addresses = vec!["10.244.2.10".into()], "5.2", "it leads to 10.244.2.10");
    fails(|facts| facts.dns.lookups[4].addresses = vec!["10.96.0.9".into()], "5.3", "in another place");
    fails(|facts| drop(facts.config_maps.insert("ml-config".into(), Found::Missing)), "6.2", "does not exist");
    fails(
        |facts| {
            let Found::There(deployment) = &mut facts.upstream.deployment else { panic!() };
            deployment.env_from.pop();
        },
        "6.3",
        "envFrom does not name ml-config",
    );
    fails(|facts| drop(facts.secrets.insert("api-credentials".into(), Found::Missing)), "7.1", "does not exist");
    fails(|facts| drop(facts.secrets.insert("api-credentials".into(), Found::Missing)), "7.4", "will not run");
    fails(
        |facts| {
            let Found::There(deployment) = &mut facts.gateway.deployment else { panic!() };
            deployment.env[0].from = EnvSource::Value("mlops-secret-key-2026".into());
        },
        "7.4",
        "not from a Secret",
    );
}

#[test]
fn what_is_not_there_yet_is_not_reached_unless_it_is_demanded() {
    let mut facts = whole(2);
    for secret in facts.secrets.values_mut() {
        *secret = Found::Missing;
    }
    for name in ["shared-config", "ml-config"] {
        facts.config_maps.insert(name.into(), Found::Missing);
    }
    for half in [&mut facts.gateway, &mut facts.upstream] {
        let Found::There(deployment) = &mut half.deployment else { panic!() };
        deployment.env.clear();
        deployment.env_from.clear();
    }
    let (checks, reached) = judge(&facts, None);
    assert_eq!(reached, 5);
    assert!(checks.iter().all(|check| (check.step > 5) == (check.state == State::NotReached)), "{checks:#?}");
    let (checks, _) = judge(&facts, Some(6));
    assert!(checks.iter().any(|check| check.step == 6 && check.state == State::Fail));
    assert!(checks.iter().filter(|check| check.step == 7).all(|check| check.state == State::NotReached));
}

#[test]
fn what_cannot_be_seen_is_not_checked_and_no_failure() {
    let mut facts = whole(2);
    facts.dns.lookups.clear();
    facts.dns.problem = Some("no endpoint".into());
    facts.upstream_log.found.clear();
    facts.upstream_log.problem = Some("pods/log is forbidden".into());
    for secret in facts.secrets.values_mut() {
        *secret = Found::Unreadable("forbidden".into());
    }
    let (checks, _) = judge(&facts, None);
    assert!(checks.iter().all(|check| check.state != State::Fail), "{checks:#?}");
    assert!(checks.iter().filter(|check| check.state == State::NotChecked).count() >= 7, "{checks:#?}");
}
