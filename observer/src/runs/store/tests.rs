//! Tests of the store, and values that other tests use as well.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]
use super::*;
use crate::record::{Exchange, ExchangeEnd, Hop};

/// An exchange that matters for nothing but these values.
pub fn exchange(hop: Hop, trace_id: Option<&str>, start_ns: u64, end_ns: Option<u64>) -> Record {
    Record::Exchange(Exchange {
        node: "n".into(),
        conn: 1,
        index: 0,
        hop,
        local: "10.0.0.1:80".parse().unwrap(),
        remote: "10.0.0.2:4000".parse().unwrap(),
        pod: None,
        pod_source: None,
        trace_id: trace_id.map(Into::into),
        method: "GET".into(),
        path: "/".into(),
        status: Some(200),
        request_start_ns: start_ns,
        request_end_ns: Some(start_ns),
        request_read_ns: None,
        response_start_ns: end_ns,
        response_end_ns: end_ns,
        response_read_ns: None,
        request_bytes: 1,
        response_bytes: 1,
        end: ExchangeEnd::Complete,
        sent_after: None,
        thread: None,
        pipelined: false,
        reused: false,
    })
}

fn request(id: &str) -> RunRequest {
    RunRequest {
        id: id.into(),
        namespace: "lab".into(),
        gateway_service: "gateway".into(),
        upstream_service: "echo".into(),
        client: "loadgen on laptop".into(),
    }
}

const A: &str = "aaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbb";
const HOUR: u64 = 3_600_000_000_000;

fn loss(count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("ring_full".to_owned(), count), ("other".to_owned(), 5)])
}

#[test]
fn one_run_from_opening_to_its_last_line() {
    let mut store = RunStore::new(1 << 20);
    store.open(request(A), loss(2), 100).unwrap();
    assert_eq!(store.parts().unwrap().gateway, Some("lab/gateway".parse().unwrap()));
    store.push(&exchange(Hop::Pod, None, 150, Some(160)), false);
    store.push(&exchange(Hop::Other, None, 150, Some(160)), false);
    assert!(store.begin_close(A, 200) && !store.begin_close(B, 200));
    store.push(&exchange(Hop::Front, None, 190, Some(195)), false);
    store.push(&exchange(Hop::Front, None, 201, Some(205)), false);
    let run = store.finish_close(A, 300, &loss(9)).unwrap();
    assert_eq!((run.records, run.records_dropped, run.closed_ns), (2, 0, Some(200)));
    let (lines, end) = store.records(A, &loss(100)).unwrap();
    let text: Vec<u8> = lines.flat_map(Result::unwrap).collect();
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 2);
    assert_eq!(end, RecordsEnd { record: "end".into(), records: 2, loss: BTreeMap::from([("ring_full".into(), 7)]) });
    assert!(store.parts().is_none());
    assert!(store.delete(A) && !store.delete(A));
}

#[test]
fn a_second_run_is_told_of_the_first_until_that_is_abandoned() {
    let mut store = RunStore::new(1 << 20);
    store.open(request(A), BTreeMap::new(), 0).unwrap();
    let Err(Refused::Busy(problem)) = store.open(request(B), BTreeMap::new(), HOUR) else { panic!("refused") };
    assert!(problem.error.contains("loadgen on laptop") && problem.fix.contains(&format!("DELETE /v1/runs/{A}")));
    store.open(request(B), BTreeMap::new(), 3 * HOUR).unwrap();
    assert_eq!(store.get(A).unwrap().closed_ns, Some(3 * HOUR));
}

#[test]
fn nonsense_is_refused_with_a_fix() {
    let mut store = RunStore::new(1 << 20);
    for id in ["", "AAAAAAAAAAAAAAAA", "aaaa", "aaaaaaaaaaaaaaaaa"] {
        assert!(matches!(store.open(request(id), BTreeMap::new(), 0), Err(Refused::Bad(_))), "{id}");
    }
    let nameless = RunRequest { namespace: String::new(), ..request(A) };
    assert!(matches!(store.open(nameless, BTreeMap::new(), 0), Err(Refused::Bad(_))));
}

#[test]
fn what_does_not_fit_is_counted_after_old_runs_made_room() {
    let mut store = RunStore::new(300_000);
    for id in [A, B] {
        store.open(request(id), BTreeMap::new(), 0).unwrap();
        for at in 0..40_000 {
            store.push(&exchange(Hop::Pod, Some(&format!("{id}{at:016x}")), at, Some(at)), false);
        }
        if id == A {
            store.finish_close(A, 50_000, &BTreeMap::new()).unwrap();
        }
    }
    assert_eq!(store.all().len(), 1, "A made room for B");
    let run = store.get(B).unwrap();
    assert_eq!(run.records + run.records_dropped, 40_000);
    assert!(run.records > 100 && run.records_dropped > 1_000, "{run:?}");
}

#[test]
fn only_a_few_closed_runs_are_held() {
    let mut store = RunStore::new(1 << 20);
    for number in 0..9 {
        let id = format!("{number:016x}");
        store.open(request(&id), BTreeMap::new(), number).unwrap();
        store.finish_close(&id, number + 1, &BTreeMap::new()).unwrap();
    }
    assert_eq!(store.all().len(), CLOSED_MAX + 1);
}
