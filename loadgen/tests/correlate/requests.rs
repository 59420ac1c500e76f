//! Single requests: every one of a run is told, once, and what is told of it is what the report sums up.

use std::convert::Infallible;
use std::path::Path;

use loadgen::correlate::correlate;
use loadgen::correlate::requests::{Selection, part_names, requests};
use loadgen::raw::{RawRun, read_run};
use loadgen::report::requests::{header, row, table, whole};
use loadgen::report::schema::{Cause, RequestReport, request_schema};
use loadgen::report::summary::Style;

use observer::record::{Hop, Record};

use crate::reports::lossy_rollout;
use crate::schema::fits;

fn recording(name: &str) -> RawRun {
    read_run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/correlate/recordings").join(name)).unwrap()
}

fn told(raw: &RawRun, wanted: &Selection) -> Vec<RequestReport> {
    let mut all = Vec::new();
    let each = |request| {
        all.push(request);
        Ok::<(), Infallible>(())
    };
    requests(raw, wanted, each).unwrap();
    all
}

#[test]
fn every_request_of_a_real_run_has_its_pod_and_its_way() {
    for name in ["rollout-as-assigned", "rollout-prestop-sleep"] {
        let raw = recording(name);
        let report = correlate(&raw);
        let all = told(&raw, &Selection::default());
        assert_eq!(all.len() as u64, report.ledger.sent);
        assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
        for request in all.iter().filter(|request| request.succeeded) {
            assert!(request.pod.is_some() && request.pod == request.pod_by_answer, "{request:?}");
            assert!(request.gateway_pod.is_some() && !request.attempts.is_empty(), "{request:?}");
            let parts = request.parts.as_ref().expect("its way was measured");
            let sum_ns: u64 = parts.iter().map(|part| part.duration_ns).sum();
            assert_eq!(sum_ns, (request.latency_us * 1e3).round() as u64, "{request:?}");
            assert_eq!((request.cause, request.evidence.len()), (None, 0));
        }
        let failed: Vec<_> = all.iter().filter(|request| !request.succeeded).collect();
        assert_eq!(failed.len(), report.failures.len());
        for (request, failure) in failed.iter().zip(&report.failures) {
            assert_eq!((request.seq, request.cause, &request.pod), (failure.seq, Some(failure.cause), &failure.pod));
            assert_eq!(request.evidence, failure.evidence);
            assert!(request.parts.is_none());
        }
    }
}

#[test]
fn a_line_is_what_its_schema_says() {
    for request in told(&lossy_rollout().read(), &Selection::default()).iter().take(50) {
        fits(&request_schema(), &serde_json::to_value(request).unwrap());
    }
}

#[test]
fn conditions_are_kept() {
    let raw = recording("rollout-as-assigned");
    let all = told(&raw, &Selection::default());
    let chosen = &all[all.len() / 2];
    let by = |wanted: &Selection| told(&raw, wanted);
    let seqs = |requests: &[RequestReport]| requests.iter().map(|request| request.seq).collect::<Vec<_>>();
    let like = |is: &dyn Fn(&RequestReport) -> bool| {
        all.iter().filter(|request| is(request)).map(|request| request.seq).collect::<Vec<_>>()
    };

    assert_eq!(by(&Selection { seqs: vec![chosen.seq], ..Selection::default() }), std::slice::from_ref(chosen));
    assert_eq!(
        by(&Selection { trace_ids: vec![chosen.trace_id.clone()], ..Selection::default() }),
        std::slice::from_ref(chosen)
    );
    let failed = by(&Selection { failed: true, ..Selection::default() });
    assert_eq!(seqs(&failed), like(&|request| !request.succeeded));
    let cause = Cause::RefusedByTerminatedPod;
    let refused = by(&Selection { cause: Some(cause), ..Selection::default() });
    assert!(!refused.is_empty() && seqs(&refused) == like(&|request| request.cause == Some(cause)));
    let of_pod = by(&Selection { pod: chosen.pod.clone(), ..Selection::default() });
    assert_eq!(seqs(&of_pod), like(&|request| request.pod == chosen.pod));
    let slow = by(&Selection { slower_than_ns: Some(5_000_000), ..Selection::default() });
    assert!(!slow.is_empty() && seqs(&slow) == like(&|request| request.latency_us > 5_000.0));
    assert!(by(&Selection { seqs: vec![u64::MAX], ..Selection::default() }).is_empty());
}

#[test]
fn whoever_has_heard_enough_hears_no_more() {
    let mut heard = 0;
    let stopped = requests(&lossy_rollout().read(), &Selection::default(), |_| {
        heard += 1;
        if heard == 3 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((stopped, heard), (Err("enough"), 3));
}

#[test]
fn a_request_that_met_a_full_queue_at_the_gateway_waited_there() {
    let mut run = lossy_rollout();
    let records = run.records.iter_mut().flat_map(|(_, records)| records);
    let front = records.filter_map(|record| match record {
        Record::Connection(connection) if connection.hop == Hop::Front => Some(connection),
        _ => None,
    });
    // The first request's: its first copy was dropped, and the next one made the socket just before it was read.
    let connection = front.min_by_key(|connection| connection.opened_ns).unwrap();
    connection.opened_ns += 250_000;
    connection.established_ns = Some(connection.opened_ns);
    let all = told(&run.read(), &Selection { seqs: vec![0], ..Selection::default() });
    let parts = all[0].parts.as_ref().expect("its way is measured all the same");
    let part = |name: &str| parts.iter().find(|part| part.name == name).unwrap().duration_ns;
    // It came 400 µs after it was sent, and was read after 100 more.
    let got = ["connect_to_gateway", "client_to_gateway", "queued_at_gateway"].map(part);
    assert_eq!(got, [400_000, 0, 100_000]);
}

#[test]
fn a_row_has_every_column() {
    let all = told(&lossy_rollout().read(), &Selection::default());
    let header = header(part_names());
    for request in &all {
        let row = row(request, part_names());
        assert_eq!(row.len(), header.len());
        let cell = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
        assert_eq!(cell("succeeded"), &request.succeeded.to_string());
        assert_eq!(cell("pod_us").is_empty(), request.parts.is_none());
    }
}

#[test]
fn one_alone_and_several_in_words() {
    let all = told(&lossy_rollout().read(), &Selection::default());
    let style = Style { width: 120, color: false };
    let failed = all.iter().find(|request| !request.succeeded).unwrap();
    let served = all.iter().find(|request| request.parts.is_some()).unwrap();
    insta::assert_snapshot!("request_failed", whole(failed, style));
    insta::assert_snapshot!("request_served", whole(served, style));
    let few: Vec<_> =
        all.iter().filter(|request| !request.succeeded).take(4).cloned().chain([served.clone()]).collect();
    insta::assert_snapshot!("requests_table", table(&few, style));
}
