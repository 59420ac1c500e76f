//! Updates: the change that follows from a run's losses, what two runs prove, two rollouts at once, a canary, a rollback.

use loadgen::raw::Subject;
use loadgen::report::fix::{Outcome, derive, prove, text, unproven};
use loadgen::report::schema::{CanaryDecision, Cause, Report};
use loadgen::report::summary::{Style, summary};
use observer::record::{NatSource, Outcome as Dialled};
use serde_json::json;

use crate::reports::{clean_pod_delete, lossy_rollout};
use crate::synthetic::{Wire, World, correlate, pod_ref};

const STYLE: Style = Style { width: 110, color: false };

/// The same run without its losses.
fn cured() -> Wire {
    let mut raw = lossy_rollout();
    raw.run.id = "00c0ffee00c0ffef".into();
    raw.client.retain(loadgen::raw::ClientRequest::succeeded);
    raw.run.sent = raw.client.len() as u64;
    raw
}

#[test]
fn the_change_is_a_sleep_of_what_was_measured_in_place_of_the_hook_that_failed() {
    let report = correlate(&lossy_rollout());
    let derived = derive(&report);
    assert_eq!(derived.changes.len(), 1);
    let change = &derived.changes[0];
    // The last connection that a rule sent there came 404 ms after the deletion, so kube-proxy's second counts, doubled, plus one.
    assert_eq!(change.sleep_s, 3);
    assert_eq!(
        change.patch,
        json!({"spec": {"template": {"spec": {"containers": [
            {"name": "ml-model", "lifecycle": {"preStop": {"exec": null, "sleep": {"seconds": 3}}}}]}}}})
    );
    assert_eq!(change.concerns_failed_count, report.ledger.failed);
    assert!(derived.no_change_known.is_empty() && derived.notes.is_empty());
    assert!(change.why.contains("FailedPreStopHook"), "{}", change.why);
}

#[test]
fn causes_that_no_hook_cures_get_no_hook() {
    let mut report = correlate(&lossy_rollout());
    for failure in &mut report.failures {
        failure.cause = Cause::Pod5xx;
    }
    let derived = derive(&report);
    assert!(derived.changes.is_empty());
    assert_eq!(derived.no_change_known[&Cause::Pod5xx], report.ledger.failed);
    let proof = unproven(derived, ("as-it-is", &report));
    assert_eq!(proof.outcome, Outcome::NoChangeKnown);
    assert!(proof.notes[0].contains("no change is known to help"), "{:?}", proof.notes);
}

#[test]
fn a_sleep_that_is_long_enough_already_is_not_made_longer() {
    let mut raw = lossy_rollout();
    raw.run.config.experiment.insert("deployment".into(), raw.run.config.upstream_deployment.clone());
    raw.run.config.experiment.insert("prestop".into(), "sleep:10".into());
    let derived = derive(&correlate(&raw));
    assert!(derived.changes.is_empty() && derived.notes[0].contains("preStop.sleep of 10 s"), "{:?}", derived.notes);
    raw.run.config.experiment.insert("prestop".into(), "sleep:1".into());
    assert_eq!(derive(&correlate(&raw)).changes[0].sleep_s, 3);
}

#[test]
fn a_gateways_end_is_cured_at_the_gateway() {
    let mut report = correlate(&lossy_rollout());
    for failure in &mut report.failures {
        failure.cause = Cause::GatewayTerminated;
    }
    for deletion in &mut report.deletions {
        deletion.role = "gateway".into();
    }
    report.environment.gateway_template = Some(json!({"spec": {
        "terminationGracePeriodSeconds": 5, "containers": [{"name": "nginx"}]}}));
    let derived = derive(&report);
    assert_eq!(derived.changes[0].deployment, "api-gateway");
    let spec = &derived.changes[0].patch["spec"]["template"]["spec"];
    assert_eq!(spec["containers"], json!([{"name": "nginx", "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]));
    // The grace must be longer than hook and longest request.
    assert_eq!(spec["terminationGracePeriodSeconds"], 9);
}

fn with_counts(mut report: Report, sent: u64, failed: u64) -> Report {
    (report.ledger.sent, report.ledger.failed, report.ledger.succeeded) = (sent, failed, sent - failed);
    report.run.complete = true;
    report
}

#[test]
fn a_proof_needs_none_lost_and_no_chance() {
    let (lossy, cured) = (correlate(&lossy_rollout()), correlate(&cured()));
    let outcome = |before: (u64, u64), after: (u64, u64)| {
        let (before, after) =
            (with_counts(lossy.clone(), before.0, before.1), with_counts(cured.clone(), after.0, after.1));
        prove(derive(&lossy), ("as-it-is", &before), ("with-fix", &after)).outcome
    };
    assert_eq!(outcome((6_000, 150), (7_000, 0)), Outcome::Proven);
    assert_eq!(outcome((6_000, 150), (7_000, 20)), Outcome::Reduced);
    assert_eq!(outcome((6_000, 150), (6_000, 140)), Outcome::NotHelped);
    assert_eq!(outcome((6_000, 2), (6_000, 0)), Outcome::NotHelped, "two or none can be chance");
    assert_eq!(outcome((6_000, 20), (6_000, 200)), Outcome::NotHelped, "worse is no help");
    let mut cut = with_counts(cured.clone(), 7_000, 0);
    cut.run.complete = false;
    let proof = prove(derive(&lossy), ("as-it-is", &with_counts(lossy.clone(), 6_000, 150)), ("with-fix", &cut));
    assert_eq!(proof.outcome, Outcome::Incomplete);
}

#[test]
fn a_proof_reads_like_one() {
    let before = with_counts(correlate(&lossy_rollout()), 6_000, 150);
    let after = with_counts(correlate(&cured()), 7_000, 0);
    let proof = prove(derive(&before), ("as-it-is", &before), ("with-fix", &after));
    insta::assert_snapshot!("proof_text", text(&proof, STYLE));
    let schema = schemars::schema_for!(loadgen::report::fix::ProveFix).to_value();
    assert!(jsonschema::is_valid(&schema, &serde_json::to_value(&proof).unwrap()));
}

#[test]
fn nothing_lost_is_nothing_to_fix() {
    let report = with_counts(correlate(&clean_pod_delete()), 3_000, 0);
    let proof = unproven(derive(&report), ("as-it-is", &report));
    assert_eq!(proof.outcome, Outcome::NothingFailed);
    assert!(proof.claim.contains("0.100 %"), "{}", proof.claim);
}

/// Two versions behind one Service: `stable` requests at a, b and c, `canary` at k.
fn canary_run(stable: usize, canary: usize, canary_fails_every: usize, slower_us: u64) -> Wire {
    let mut world = World::new("canary");
    world.pod(-60_000.0, "k", "ml-inference");
    world.raw.run.config.experiment.insert("canary".into(), "ml-inference-canary".into());
    for (name, deployment) in [("ml-inference-1", "ml-inference"), ("canary-1", "ml-inference-canary")] {
        world.push(
            -60_000.0,
            Subject::ReplicaSet {
                name: name.into(),
                owner: Some(format!("deployment/{deployment}")),
                revision: Some("1".into()),
                desired: 1,
                ready: 1,
                image: None,
                change_cause: None,
            },
        );
    }
    for n in 0..stable + canary {
        let ms = n as f64 * 2.0;
        let wobble = (n as u64 * 7) % 100 * 1_000;
        if n < stable {
            let mut flow = world.flow(ms, ["a", "b", "c"][n % 3]);
            let exchange = flow.last().pod_exchange.as_mut().unwrap();
            exchange.response_end_ns = exchange.response_end_ns.map(|ns| ns + wobble);
            world.add(flow);
        } else {
            let mut flow = world.flow(ms, "k");
            let exchange = flow.last().pod_exchange.as_mut().unwrap();
            exchange.response_end_ns = exchange.response_end_ns.map(|ns| ns + wobble + slower_us * 1_000);
            let fails = canary_fails_every > 0 && n % canary_fails_every == 0;
            world.add(if fails { flow.answered(500, 3) } else { flow });
        }
    }
    for entry in &mut world.raw.timeline {
        if let Subject::Pod { name, owner, version, .. } = &mut entry.subject
            && name == "k"
        {
            (*owner, *version) = (Some("ReplicaSet/canary-1".into()), Some("v2".into()));
        }
    }
    world.finish()
}

#[test]
fn a_canary_that_does_as_well_is_promoted() {
    let report = correlate(&canary_run(960, 320, 0, 0));
    let canary = report.canary.as_ref().unwrap();
    assert_eq!(canary.expected_share_ratio, Some(0.25));
    let share = canary.by_connection.unwrap();
    assert_eq!((share.canary_count, share.total_count), (320, 1_280));
    assert!(share.p_value.unwrap() > 0.9 && share.low_ratio.unwrap() < 0.25 && share.high_ratio.unwrap() > 0.25);
    assert_eq!((canary.decision, canary.canary.version.as_deref()), (CanaryDecision::Promote, Some("v2")));
    crate::schema::validate(&serde_json::to_value(&report).unwrap());
    let text = summary(&report, STYLE);
    assert!(text.contains("Q10.5") && text.contains("Verdict: promote"), "{text}");
}

#[test]
fn a_canary_is_judged_by_what_it_does() {
    let decide = |stable, canary, fails, slower| {
        let report = correlate(&canary_run(stable, canary, fails, slower)).canary.unwrap();
        (report.decision, report.reasons.join("; "))
    };
    let (decision, why) = decide(960, 320, 10, 0);
    assert!(decision == CanaryDecision::RollBack && why.contains("fails more often"), "{why}");
    let (decision, why) = decide(960, 320, 0, 2_000);
    assert!(decision == CanaryDecision::Hold && why.contains("slower"), "{why}");
    let (decision, why) = decide(1_500, 320, 0, 0);
    assert!(decision == CanaryDecision::Hold && why.contains("share"), "{why}");
    let (decision, why) = decide(300, 100, 0, 0);
    assert!(decision == CanaryDecision::NoData && why.contains("299"), "{why}");
    // Twelve of a hundred are told apart even where promotion would need more.
    assert_eq!(decide(300, 100, 8, 0).0, CanaryDecision::RollBack);
}

#[test]
fn two_rollouts_at_once_keep_their_failures_apart() {
    let mut world = World::new("dual-rollout");
    world.pod(-60_000.0, "gw2", "api-gateway");
    world.terminate(300.0, "a", 700.0);
    world.terminate(400.0, "gw2", 700.0);
    for n in 0..100 {
        world.success(f64::from(n) * 5.0, ["b", "c"][n as usize % 2]);
    }
    for ms in [321.0, 402.0] {
        let mut flow = world.flow(ms, "a").answered(502, 3);
        flow.last().failed(Dialled::Refused, 1).source(NatSource::New);
        world.add(flow);
    }
    let report = correlate(&world.finish());
    let verdict = report.verdicts.iter().find(|verdict| verdict.question == "Q10.4").unwrap();
    let figure = |name: &str| verdict.evidence.iter().find(|figure| figure.name == name).unwrap().value;
    assert_eq!(figure("failed_because_of_upstream_count"), Some(2.0));
    assert_eq!(figure("failed_because_of_gateway_count"), Some(0.0));
    assert_eq!(figure("gateway_pods_replaced_count"), Some(1.0));
    assert_eq!(figure("overlap_ms"), Some(600.0));
    assert_eq!(figure("failed_while_both_parts_ended_count"), Some(1.0));
    assert!(verdict.claim.as_ref().unwrap().contains("2 because of serving pods"), "{:?}", verdict.claim);
}

#[test]
fn a_run_that_rolled_one_part_does_not_answer_for_two() {
    let mut world = World::new("dual-rollout");
    world.terminate(300.0, "a", 700.0);
    world.success(10.0, "b");
    let report = correlate(&world.finish());
    assert_eq!(report.verdicts[0].claim, None);
}

#[test]
fn the_last_new_connection_can_be_the_one_that_was_refused() {
    let mut world = World::new("rollout");
    world.terminate(100.0, "a", 1_000.0);
    world.success(50.0, "a");
    let mut flow = world.flow(150.0, "a").answered(502, 2);
    flow.last().failed(Dialled::Refused, 1);
    world.add(flow);
    let report = correlate(&world.finish());
    let claim = |question: &str| {
        let verdict = report.verdicts.iter().find(|verdict| verdict.question == question).unwrap();
        verdict.claim.clone().unwrap()
    };
    assert!(!claim("Q10.2").contains("none of them was refused"), "{}", claim("Q10.2"));
    assert!(claim("Q10.3").contains("were made 51 ms after"), "{}", claim("Q10.3"));
}

#[test]
fn what_an_earlier_run_left_is_told_apart_and_no_hook_is_advised() {
    let mut world = World::new("rollout");
    world.terminate(100.0, "a", 1_000.0);
    world.success(150.0, "a");
    let mut flow = world.flow(900.0, "b").answered(504, 1_003);
    flow.last().failed(Dialled::Unanswered, 1_001).source(NatSource::Reused);
    let nat = flow.last().conn().nat.as_mut().unwrap();
    nat.pod = Some(pod_ref("long-gone"));
    nat.chosen = "10.244.0.99:5000".parse().unwrap();
    world.add(flow);
    let report = correlate(&world.finish());
    assert_eq!(report.failures[0].cause, Cause::StaleNatEntry);
    for question in ["Q10.2", "Q10.3"] {
        let verdict = report.verdicts.iter().find(|verdict| verdict.question == question).unwrap();
        assert!(verdict.advice.len() == 1 && verdict.advice[0].contains("--wait-nat"), "{verdict:#?}");
    }
    let claim = report.verdicts.iter().find(|it| it.question == "Q10.3").unwrap().claim.clone().unwrap();
    assert!(claim.contains("Left from before this run: 1 of 1"), "{claim}");
}
