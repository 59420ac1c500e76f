#![allow(clippy::unwrap_used)]
use super::*;
use crate::agent::hops::Hops;
use crate::api::{Cost, Loss, Status, Watch};
use crate::record::{Hop, PodRef, Record};
use crate::runs::tests::exchange;

fn snapshot() -> Snapshot {
    let mut hops = Hops::default();
    let Record::Exchange(mut one) = exchange(Hop::Pod, None, 0, Some(3_000_000)) else { unreachable!() };
    one.pod = Some(PodRef { namespace: "lab".into(), name: "a\"b".into(), uid: "u".into() });
    hops.add(&one, 0);
    let status = Status {
        version: "0".into(),
        node: "n".into(),
        kernel: "6".into(),
        boot_id: "b".into(),
        started_ns: 0,
        now_ns: 0,
        canary_seen: true,
        cgroup: "/".into(),
        programs: Vec::new(),
        watches: vec![Watch { name: "pods".into(), ok: false, reason: Some("down".into()) }],
        ports: Vec::new(),
        loss: Loss { by_name: BTreeMap::from([("ring_full_open".into(), 3)]), events_dropped: 3 },
        cost: Cost { bpf_ns: Some(2_000_000_000), bpf_runs: Some(7), ..Cost::default() },
        counters: BTreeMap::from([("probes".into(), 5), ("pods".into(), 2)]),
        hops: Vec::new(),
        runs: Vec::new(),
    };
    Snapshot { status, hops }
}

#[test]
fn numbers_are_where_they_belong() {
    let text = encode(snapshot()).unwrap();
    for line in [
        r#"podwitness_exchanges_total{hop="pod",pod="lab/a\"b",status="2xx"} 1"#,
        r#"podwitness_exchange_seconds_bucket{le="0.0025",hop="pod",pod="lab/a\"b",status="2xx"} 0"#,
        r#"podwitness_exchange_seconds_bucket{le="0.005",hop="pod",pod="lab/a\"b",status="2xx"} 1"#,
        r#"podwitness_exchange_seconds_bucket{le="+Inf",hop="pod",pod="lab/a\"b",status="2xx"} 1"#,
        r#"podwitness_lost_total{name="ring_full_open"} 3"#,
        r#"podwitness_counted_total{name="probes"} 5"#,
        r#"podwitness_level{name="pods"} 2"#,
        r#"podwitness_watch_works{watch="pods"} 0"#,
        "podwitness_bpf_seconds_total 2.0",
    ] {
        assert!(text.lines().any(|each| each == line), "missing: {line}\n{text}");
    }
}

#[test]
fn every_metric_of_the_list_is_told_and_no_other() {
    let text = encode(snapshot()).unwrap();
    let told: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP podwitness_")?.split(' ').next()).collect();
    let listed: Vec<&str> = list::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(told, listed);
}

#[test]
fn what_is_not_measured_is_absent() {
    let mut without = snapshot();
    without.status.cost.bpf_ns = None;
    assert!(!encode(without).unwrap().contains("bpf_seconds"));
}

/// Run with `UPDATE_DOCS=1` to write the file anew.
#[test]
fn the_committed_list_is_the_list() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, list::markdown()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == list::markdown(),
        "docs/metrics.md is stale: `cargo run -p observer -- metrics-list > docs/metrics.md`"
    );
}
