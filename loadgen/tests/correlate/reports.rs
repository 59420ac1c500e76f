//! Whole reports of two small runs, as JSON and as text.

use loadgen::raw::Subject;
use loadgen::report::schema::Report;
use loadgen::report::summary::{Style, summary};
use observer::record::{NatSource, Outcome};

use crate::synthetic::{Wire, World, correlate};

/// Twenty seconds of a rollout whose hook fails, in small: each kind of loss once or twice.
pub fn lossy_rollout() -> Wire {
    let mut world = World::new("rollout");
    world.raw.run.environment.upstream_template = Some(serde_json::json!({
        "spec": {"containers": [{"name": "ml-model", "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "sleep 10"]}}}}]}
    }));
    world.pod(200.0, "d", "ml-inference");
    world.push(
        150.0,
        Subject::Action {
            name: "restart_deployment".into(),
            target: "deployment/ml-inference".into(),
            uid: None,
            requested_ns: 100_100_000_000,
            detail: "pod template annotated".into(),
        },
    );
    world.terminate(300.0, "a", 700.0);
    world.event(310.0, "FailedPreStopHook", "a", "PreStopHook failed: exec: \"/bin/sh\": no such file or directory", 1);
    for n in 0..200 {
        let pod = ["b", "c", "b", "c", "b"][n as usize % 5];
        world.success(f64::from(n) * 5.0, pod);
    }
    for (ms, outcome, source) in [
        (321.0, Outcome::Refused, NatSource::New),
        (402.0, Outcome::Refused, NatSource::New),
        (703.0, Outcome::Unanswered, NatSource::New),
        (9_004.0, Outcome::Unanswered, NatSource::Reused),
    ] {
        let refused = outcome == Outcome::Refused;
        let (status, after_ms) = if refused { (502, 1) } else { (504, 1_001) };
        let mut flow = world.flow(ms, "a").answered(status, after_ms + 2);
        flow.last().failed(outcome, after_ms).source(source);
        world.add(flow);
    }
    world.success(9_500.0, "d");
    let mut late = world.flow(9_600.0, "d");
    late.client.due_ns -= 30_000_000;
    late.client.starved = true;
    world.add(late);
    world.finish()
}

/// A deletion that loses nothing.
pub fn clean_pod_delete() -> Wire {
    let mut world = World::new("pod-delete");
    world.raw.run.environment.upstream_template = Some(serde_json::json!({
        "spec": {"containers": [{"name": "ml-model", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]}
    }));
    world.delete(100.0, "a", 6_000.0);
    for n in 0..100 {
        let pod = if n < 60 { ["a", "b", "c"][n as usize % 3] } else { ["b", "c"][n as usize % 2] };
        world.success(f64::from(n) * 10.0, pod);
    }
    world.finish()
}

fn check(name: &str, report: &Report) {
    crate::schema::validate(&serde_json::to_value(report).unwrap());
    insta::assert_json_snapshot!(name, report);
    insta::assert_snapshot!(format!("{name}_text"), summary(report, Style { width: 120, color: false }));
}

#[test]
fn a_rollout_that_loses_requests() {
    let mut report = correlate(&lossy_rollout());
    report.thresholds = vec![
        "failed>0".parse::<loadgen::report::threshold::Condition>().unwrap().evaluate(&report),
        "p99>50ms".parse::<loadgen::report::threshold::Condition>().unwrap().evaluate(&report),
    ];
    check("lossy_rollout", &report);
}

#[test]
fn a_deletion_that_loses_nothing() {
    check("clean_pod_delete", &correlate(&clean_pod_delete()));
}

#[test]
fn foreign_text_cannot_reach_the_terminal() {
    let mut raw = lossy_rollout();
    raw.run.warnings.push("\u{1b}]0;owned\u{7}".into());
    for entry in &mut raw.timeline {
        if let Subject::Event { message, .. } = &mut entry.subject {
            message.push_str("\u{1b}[2J");
        }
    }
    let text = summary(&correlate(&raw), Style { width: 80, color: false });
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_narrow_terminal_gets_narrow_sentences() {
    let text = summary(&correlate(&lossy_rollout()), Style { width: 60, color: true });
    assert!(text.contains("\u{1b}["));
    assert!(text.contains("Q10.3"));
}
