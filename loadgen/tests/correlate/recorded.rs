//! Runs that were really made, on a real cluster: `recordings/` holds their raw files as they were written. Unlike the worlds made
//! by hand, nobody chose what is in them.

use std::path::Path;

use loadgen::correlate::correlate;
use loadgen::raw::read_run;
use loadgen::report::schema::{JoinedBy, Report};
use loadgen::report::summary::{Style, summary};
use serde_json::json;

fn report(name: &str) -> Report {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/correlate/recordings").join(name);
    let report = correlate(&read_run(&folder).unwrap());
    crate::schema::validate(&serde_json::to_value(&report).unwrap());
    report
}

/// Whatever the run was: its ledger closes, nothing is missing, and it names the pods that the answers name.
fn assert_whole(report: &Report) {
    let (ledger, seen) = (&report.ledger, &report.completeness);
    assert!(report.run.complete, "{:?}", report.warnings);
    assert_eq!((ledger.sent, ledger.unaccounted), (ledger.succeeded + ledger.failed, 0));
    assert_eq!(ledger.by_cause.values().sum::<u64>(), ledger.failed);
    assert_eq!((seen.events_dropped, seen.join_conflicts, seen.records_dropped), (Some(0), Some(0), Some(0)));
    assert_eq!((seen.requests_seen_at_gateway, seen.goose_agrees), (Some(ledger.sent), Some(true)));
    let agreement = seen.pod_agreement.expect("the answers name their pods");
    assert_eq!((agreement.compared, agreement.agreed), (ledger.succeeded, ledger.succeeded));
}

fn snapshots(name: &str, report: &Report) {
    insta::assert_snapshot!(format!("recorded_{name}"), summary(report, Style { width: 120, color: false }));
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|failure| json!([failure.seq, failure.cause, failure.status, failure.pod, failure.joined_by]))
        .collect();
    let figures = json!({"ledger": report.ledger, "completeness": report.completeness, "failures": failures});
    insta::assert_json_snapshot!(format!("recorded_{name}_figures"), figures);
}

#[test]
fn a_rollout_whose_hook_fails() {
    let report = report("rollout-as-assigned");
    assert_whole(&report);
    assert!(report.ledger.failed > 0);
    for failure in &report.failures {
        assert!(failure.pod.is_some() && failure.evidence.len() >= 2, "{failure:?}");
        assert!(matches!(failure.joined_by, Some(JoinedBy::Trace | JoinedBy::ThreadOrder)), "{failure:?}");
    }
    let causes: Vec<&str> = report.ledger.by_cause.keys().map(|cause| cause.name()).collect();
    assert!(!causes.contains(&"unknown") && causes.contains(&"refused_by_terminated_pod"), "{causes:?}");
    assert!(report.timeline.iter().any(|item| item.kind == "FailedPreStopHook"));
    snapshots("rollout_as_assigned", &report);
}

#[test]
fn a_rollout_with_a_hook_that_works() {
    let report = report("rollout-prestop-sleep");
    assert_whole(&report);
    assert_eq!(report.ledger.failed, 0);
    assert!(report.deletions.len() >= 3, "every pod was replaced");
    snapshots("rollout_prestop_sleep", &report);
}
