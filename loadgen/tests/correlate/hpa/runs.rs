//! Whole runs: an autoscaler at work on the time line, and what the report makes of it.

use std::collections::BTreeMap;

use loadgen::raw::scaling::{
    AutoscalerState, DeploymentState, PodMetrics, PodUsage, ScaledPod, ScalingBehavior, ScalingPolicy, ScalingRules,
};
use loadgen::raw::{Schedule, Subject};
use loadgen::report::schema::{Report, Scaling};

use crate::synthetic::{Wire, World, correlate};

/// Wall clock of the first due request, in seconds.
const START_S: i64 = 1_790_000_000;
const CONTROLLER: &str = "kube-controller-manager (scale)";

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), "ml-inference".to_owned())])
}

fn deployment(replicas: i32, by: &str) -> Subject {
    Subject::Deployment(DeploymentState {
        name: "ml-inference".into(),
        uid: "uid-d".into(),
        replicas,
        ready: replicas,
        replicas_by: Some(by.into()),
        selector: labels(),
        deleted: false,
    })
}

fn scaled_pod(name: &str, ready_s: i64) -> Subject {
    Subject::ScaledPod(ScaledPod {
        name: name.into(),
        uid: format!("uid-{name}"),
        labels: labels(),
        phase: "Running".into(),
        terminating: false,
        ready: Some(true),
        ready_changed_s: Some(ready_s),
        started_s: Some(ready_s - 1),
        cpu_request_milli: Some(50),
        deleted: false,
    })
}

fn metrics(at_s: i64, of: &[(&str, i64)]) -> Subject {
    let usage = |(pod, cpu_milli): &(&str, i64)| PodUsage {
        pod: (*pod).to_owned(),
        at_s: START_S + at_s,
        window_ms: 10_000,
        cpu_milli: *cpu_milli,
    };
    Subject::PodMetrics(PodMetrics { pods: of.iter().map(usage).collect(), error: None })
}

fn autoscaler(current: i32, desired: i32, percent: i32, average_milli: i64) -> Subject {
    let rules = |window_s, value, period_s| ScalingRules {
        window_s: Some(window_s),
        select: "Max".into(),
        policies: vec![ScalingPolicy { kind: "Percent".into(), value, period_s }],
        tolerance_ratio: None,
    };
    Subject::Autoscaler(AutoscalerState {
        name: "ml-inference-hpa".into(),
        uid: "uid-h".into(),
        target: "deployment/ml-inference".into(),
        min_replicas: 3,
        max_replicas: 8,
        target_percent: Some(50),
        behavior: Some(ScalingBehavior { up: rules(0, 100, 15), down: rules(60, 25, 60) }),
        current_replicas: current,
        desired_replicas: desired,
        cpu_percent: Some(percent),
        cpu_average_milli: Some(average_milli),
        ..AutoscalerState::default()
    })
}

/// Three pods at 20 %; at 10 s the load rises, at 21 s the metric is 80 %, at 25 s the autoscaler wants `decided`.
fn run(decided: i32) -> World {
    let mut world = World::new("hpa");
    let settings = [("hpa", "ml-inference-hpa"), ("deployment", "ml-inference")];
    world.raw.run.config.experiment = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    world.raw.run.config.schedule = Schedule::Steps { steps: vec![(10.0, 10.0), (50.0, 30.0)] };
    world.push(-500.0, deployment(3, "kubectl-client-side-apply"));
    world.push(-500.0, autoscaler(3, 3, 20, 10));
    for name in ["a", "b", "c"] {
        world.push(-500.0, scaled_pod(name, START_S - 600));
    }
    world.push(-400.0, metrics(-5, &[("a", 10), ("b", 10), ("c", 10)]));
    world.push(21_000.0, metrics(20, &[("a", 40), ("b", 39), ("c", 41)]));
    world.push(25_000.0, autoscaler(3, decided, 80, 40));
    if decided > 3 {
        world.push(24_990.0, deployment(decided, CONTROLLER));
    }
    world
}

fn with_traffic(mut world: World, pods: &[&str]) -> Wire {
    for position in 0..400 {
        world.success(f64::from(position) * 100.0 + 50.0, pods[position as usize % pods.len()]);
    }
    world.finish()
}

fn scaling(report: &Report) -> &Scaling {
    report.scaling.as_ref().unwrap()
}

#[test]
fn a_decision_that_follows_the_formula_is_agreed_with() {
    let report = correlate(&with_traffic(run(5), &["a", "b", "c"]));
    let autoscaler = &scaling(&report).autoscalers[0];
    assert_eq!((autoscaler.agreement.compared, autoscaler.agreement.agreed), (1, 1), "{:#?}", autoscaler.syncs);
    let sync = &autoscaler.syncs[0];
    assert_eq!((sync.ready_pods, sync.asked_replicas, sync.predicted_replicas), (Some(3), Some(5), Some(5)));
    let change = &scaling(&report).changes[0];
    assert_eq!((change.from, change.to, change.by.as_str()), (3, 5, "autoscaler"));
    let after = |name: &str| change.steps.iter().find(|step| step.step == name).and_then(|step| step.after_ms);
    assert_eq!(after("load_changed"), Some(0.0));
    assert_eq!(after("metric_above_target"), Some(11_000.0));
    assert_eq!(after("decision"), Some(15_000.0));
    assert_eq!(after("pods_ready"), None, "no pod came: that is not measured, and not zero");
}

#[test]
fn a_decision_that_does_not_is_disagreed_with_and_said() {
    let report = correlate(&with_traffic(run(4), &["a", "b", "c"]));
    let autoscaler = &scaling(&report).autoscalers[0];
    assert_eq!((autoscaler.agreement.compared, autoscaler.agreement.disagreed), (1, 1));
    assert!(autoscaler.syncs[0].explanation.contains("the controller wants 4"), "{}", autoscaler.syncs[0].explanation);
}

#[test]
fn what_the_autoscaler_saw_must_be_found_again_or_nothing_is_compared() {
    let mut raw = with_traffic(run(5), &["a", "b", "c"]);
    raw.timeline.retain(|entry| !matches!(entry.subject, Subject::PodMetrics(_)));
    let report = correlate(&raw);
    let agreement = scaling(&report).autoscalers[0].agreement;
    assert_eq!((agreement.compared, agreement.not_comparable), (0, 1));
    assert!(scaling(&report).metrics.is_none());
}

/// As [`run`], with four pods at 28 %, of which the autoscaler keeps so many at 8 s; the sample of one taken away is gone when we ask for
/// it.
fn run_that_may_take_one_away((percent, average_milli): (i32, i64), decided: i32) -> Wire {
    let mut world = run(3);
    world.raw.timeline.clear();
    world.push(-500.0, deployment(4, CONTROLLER));
    world.push(-350.0, autoscaler(4, 4, percent, average_milli));
    for name in ["a", "b", "c", "d"] {
        world.push(-300.0, scaled_pod(name, START_S - 600));
    }
    world.push(-300.0, metrics(-5, &[("a", 14), ("b", 14), ("c", 12), ("d", 16)]));
    world.push(8_063.0, autoscaler(4, decided, 24, 12));
    let after = [("a", 10), ("b", 12), ("c", 14), ("d", 13)];
    world.push(8_665.0, metrics(5, if decided == 3 { &after[..3] } else { &after }));
    world.push(9_000.0, deployment(decided, CONTROLLER));
    with_traffic(world, &["a", "b", "c"])
}

#[test]
fn a_pod_that_ended_with_the_decision_had_a_sample() {
    let report = correlate(&run_that_may_take_one_away((28, 14), 3));
    let autoscaler = &scaling(&report).autoscalers[0];
    assert_eq!((autoscaler.agreement.compared, autoscaler.agreement.agreed), (1, 1), "{:#?}", autoscaler.syncs);
    let sync = &autoscaler.syncs[0];
    // 24 % of a target of 50 % asks for two of four; the least is three.
    assert_eq!((sync.ready_pods, sync.asked_replicas, sync.predicted_replicas), (Some(4), Some(2), Some(3)));
}

#[test]
fn what_was_asked_for_before_the_run_is_not_guessed_from_what_was_decided() {
    // It saw something at first that is not found again, and keeps four: a window or a rate limit may hold them.
    let report = correlate(&run_that_may_take_one_away((31, 15), 4));
    let autoscaler = &scaling(&report).autoscalers[0];
    assert_eq!(
        (autoscaler.agreement.disagreed, autoscaler.agreement.not_comparable),
        (0, 1),
        "{:#?}",
        autoscaler.syncs
    );
    assert!(autoscaler.syncs[0].explanation.contains("not known"), "{:?}", autoscaler.syncs[0]);
}

#[test]
fn a_pod_that_came_is_followed_to_its_first_success_and_its_share() {
    let mut world = run(4);
    world.pod(26_000.0, "d", "ml-inference");
    // From then on four pods, of which the new one gets every fourth request; before, three.
    for position in 0..400_u32 {
        let ms = f64::from(position) * 100.0 + 50.0;
        let pods: &[&str] = if ms > 26_000.0 { &["a", "b", "c", "d"] } else { &["a", "b", "c"] };
        world.success(ms, pods[position as usize % pods.len()]);
    }
    let report = correlate(&world.finish());
    let pod = &scaling(&report).new_pods[0];
    assert_eq!(pod.pod, "d");
    let step = |name: &str| pod.steps.iter().find(|step| step.step == name).and_then(|step| step.at_ns);
    assert!(step("requested") < step("created"));
    assert!(step("endpoint_added") <= step("first_connection") && step("first_connection") < step("first_success"));
    assert!((pod.share_ratio.unwrap() - 0.25).abs() < 0.02, "{pod:?}");
    assert!((pod.fair_share_ratio.unwrap() - 0.25).abs() < 0.001, "{pod:?}");
    assert_eq!(pod.requests, pod.new_connections);
}

#[test]
fn replicas_set_against_an_autoscaler_are_a_warning() {
    let mut world = run(5);
    world.push(30_000.0, deployment(3, "kubectl-client-side-apply"));
    world.push(33_000.0, deployment(5, CONTROLLER));
    let report = correlate(&with_traffic(world, &["a"]));
    let warning = report.warnings.iter().find(|warning| warning.contains("kubectl-client-side-apply")).unwrap();
    assert!(warning.contains("from 5 to 3") && warning.contains("set 5 3.0 s later"), "{warning}");
    let by: Vec<&str> = scaling(&report).changes.iter().map(|change| change.by.as_str()).collect();
    assert_eq!(by, ["autoscaler", "kubectl-client-side-apply", "autoscaler"]);
}

#[test]
fn the_four_questions_are_answered_from_what_was_seen() {
    let report = correlate(&with_traffic(run(5), &["a", "b", "c"]));
    let claim = |question: &str| {
        let verdict = report.verdicts.iter().find(|verdict| verdict.question == question).unwrap();
        (verdict.claim.clone().unwrap(), verdict.not_measured.clone())
    };
    assert!(claim("Q9.3").0.starts_with("4: desired = ceil"), "{}", claim("Q9.3").0);
    assert!(claim("Q9.3").0.contains("3 pods at 80 %"), "{}", claim("Q9.3").0);
    assert!(claim("Q9.1").1.iter().any(|line| line.contains("no scale-down")));
    assert!(claim("Q9.4").0.contains("11.0 s"), "{}", claim("Q9.4").0);
    crate::schema::validate(&serde_json::to_value(&report).unwrap());
    loadgen::report::html::html(&report).unwrap();
}

#[test]
fn a_run_that_did_not_watch_has_no_such_section() {
    assert!(correlate(&with_traffic(World::new("steady"), &["a", "b"])).scaling.is_none());
}
