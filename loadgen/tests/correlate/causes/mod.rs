//! Each cause: a run that has it, and the nearest run that has not.

mod alive;
mod client_side;
mod gone;
mod kept;
mod untold;

use loadgen::report::schema::{Cause, Failure, JoinedBy, Report};

use crate::synthetic::{Flow, World, correlate};

/// The report of a world with one more request, and that request's failure.
fn failure_of(mut world: World, flow: Flow) -> Failure {
    let seq = flow.client.seq;
    world.add(flow);
    let report = correlate(&world.finish());
    sound(&report);
    report.failures.into_iter().find(|failure| failure.seq == seq).expect("the request failed")
}

/// What holds for every report.
fn sound(report: &Report) {
    let ledger = &report.ledger;
    assert_eq!(ledger.sent, ledger.succeeded + ledger.failed + ledger.unaccounted);
    assert_eq!(ledger.failed, ledger.by_cause.values().sum::<u64>());
    assert_eq!(ledger.failed, report.failures.len() as u64);
    assert_eq!(report.completeness.join_conflicts, Some(0), "{:?}", report.warnings);
}

fn is(failure: &Failure, cause: Cause, pod: Option<&str>, joined_by: Option<JoinedBy>) {
    assert_eq!(failure.cause, cause, "{:#?}", failure.evidence);
    assert_eq!(failure.pod.as_deref(), pod);
    assert_eq!(failure.joined_by, joined_by);
    if cause != Cause::Unknown {
        let proof = failure.evidence.iter().filter(|fact| fact.source != "client").count();
        let none_needed = matches!(cause, Cause::ClientTimeout | Cause::RequestError);
        assert!(proof > 0 || none_needed, "a cause without proof: {:#?}", failure.evidence);
    }
}

fn says(failure: &Failure, source: &str, words: &str) {
    let said = failure.evidence.iter().any(|fact| fact.source == source && fact.what.contains(words));
    assert!(said, "no `{words}` by {source} in {:#?}", failure.evidence);
}
