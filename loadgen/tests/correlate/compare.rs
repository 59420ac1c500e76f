//! Two runs held against each other, and repeats pooled.

use loadgen::correlate::compare::{Sample, compare, sample};
use loadgen::correlate::repeat::pool;
use loadgen::raw::Schedule;
use loadgen::report::compare::{Condition, text};
use loadgen::report::schema::{Cause, DifferenceKind, Judgement};
use loadgen::report::summary::Style;

use crate::reports::lossy_rollout;
use crate::synthetic::{Wire, World, correlate};

/// Requests at an even rate for half a minute, each `extra_ms` longer than it must be.
fn steady(id: &str, extra_ms: f64) -> Wire {
    let mut world = World::new("steady");
    for n in 0..1_500 {
        let pod = ["a", "b", "c"][n as usize % 3];
        let flow = world.flow(f64::from(n) * 20.0, pod);
        world.add(flow);
    }
    let mut raw = world.finish();
    raw.run.id = id.into();
    for (n, request) in raw.client.iter_mut().enumerate() {
        // Not all alike: quantiles of equal values have no interval.
        request.end_ns += (n as u64 * 7_919 % 1_000) * 1_000 + (extra_ms * 1e6) as u64;
    }
    raw
}

fn one(raw: &Wire) -> Vec<Sample> {
    vec![sample(&raw.read())]
}

#[test]
fn a_run_is_no_different_from_itself() {
    let raw = steady("00c0ffee00c0ffee", 0.0);
    let same = compare(&one(&raw), &one(&raw));
    assert_eq!(same.verdict, Judgement::Same, "{same:#?}");
    assert!(same.comparable && same.differences.is_empty(), "{:?}", same.differences);
    let latency = same.latency.as_ref().unwrap();
    assert!((latency.b_slower_ratio.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(latency.p50.judgement, Judgement::Same);
    assert!(!same.hops.is_empty());
}

#[test]
fn a_slower_run_is_worse_and_the_condition_holds() {
    let (before, after) = (steady("00c0ffee00c0ffee", 0.0), steady("00c0ffee00c0ffef", 2.0));
    let mut compared = compare(&one(&before), &one(&after));
    assert_eq!(compared.verdict, Judgement::Worse, "{:?}", compared.findings);
    let p50 = &compared.latency.as_ref().unwrap().p50;
    assert!((p50.difference_us - 2_000.0).abs() < 1.0, "{p50:?}");
    assert!(p50.difference_low_us.unwrap() > 1_500.0 && p50.difference_high_us.unwrap() < 2_500.0, "{p50:?}");
    for (condition, failed) in [("p50_increase>1ms", true), ("p50_increase>3ms", false), ("failed_increase>0", false)] {
        assert_eq!(condition.parse::<Condition>().unwrap().evaluate(&compared).failed, failed, "{condition}");
    }
    compared.thresholds = vec!["p50_increase>1ms".parse::<Condition>().unwrap().evaluate(&compared)];
    let said = text(&compared, Style { width: 120, color: false });
    assert!(said.starts_with("B is worse: two runs of one kind"), "{said}");
    assert!(said.contains("FAIL  --fail-if 'p50_increase>1ms'"), "{said}");
}

#[test]
fn what_was_cured_is_told_by_cause() {
    let lossy = lossy_rollout();
    let mut cured = lossy.clone();
    cured.run.id = "00c0ffee00c0ffef".into();
    cured.run.config.experiment.insert("prestop".into(), "sleep:5".into());
    for request in &mut cured.client {
        request.status = Some(200);
        request.error = None;
    }
    let compared = compare(&one(&lossy), &one(&cured));
    assert_eq!((compared.a.failed, compared.b.failed), (4, 0));
    assert!(compared.comparable, "{:?}", compared.differences);
    assert!(compared.differences.iter().any(|d| d.what == "setting prestop" && d.kind == DifferenceKind::Factor));
    assert!(compared.causes.iter().any(|change| change.cause == Cause::StaleNatEntry && change.b_count == 0));
    // 4 of 206 against 0 of 206: p = 0.12. Less is not yet significantly less.
    assert!(compared.failures.p_requests.unwrap() > 0.1, "{:?}", compared.failures);
    assert_ne!(compared.failures.judgement, Judgement::Better);
    crate::schema::fits(&loadgen::report::schema::comparison_schema(), &serde_json::to_value(&compared).unwrap());
}

#[test]
fn runs_that_were_asked_differently_are_not_comparable() {
    let before = steady("00c0ffee00c0ffee", 0.0);
    let mut after = steady("00c0ffee00c0ffef", 0.0);
    after.run.config.schedule = Schedule::Constant { rate_per_s: 500.0, duration_s: 30.0 };
    after.run.environment.kube_proxy_mode = Some("nftables".into());
    let compared = compare(&one(&before), &one(&after));
    assert!(!compared.comparable);
    let kinds: Vec<_> =
        compared.differences.iter().map(|difference| (difference.what.as_str(), difference.kind)).collect();
    assert!(kinds.contains(&("schedule", DifferenceKind::Load)), "{kinds:?}");
    assert!(kinds.contains(&("kube-proxy's mode", DifferenceKind::Place)), "{kinds:?}");
    assert!(text(&compared, Style { width: 100, color: false }).contains("NOT COMPARABLE"));
}

#[test]
fn with_repeats_the_run_is_the_unit() {
    let side = |ids: std::ops::Range<u32>, extra_ms: f64| -> Vec<Sample> {
        ids.map(|n| sample(&steady(&format!("00c0ffee0000{n:04x}"), extra_ms + f64::from(n % 5) * 0.05).read()))
            .collect()
    };
    let compared = compare(&side(0..5, 0.0), &side(10..15, 2.0));
    let p50 = &compared.latency.as_ref().unwrap().p50;
    assert!((p50.p_runs.unwrap() - 2.0 / 252.0).abs() < 1e-9, "{p50:?}");
    assert_eq!(compared.verdict, Judgement::Worse);
    let few = compare(&side(0..2, 0.0), &side(10..12, 2.0));
    assert_eq!(few.verdict, Judgement::Same, "six ways of dealing are no proof");
    assert!(few.notes.iter().any(|note| note.contains("too few ways")), "{:?}", few.notes);
}

#[test]
fn repeats_are_pooled_and_the_interval_is_the_wider_one() {
    let reports: Vec<_> = (0..3)
        .map(|n| {
            let mut raw = lossy_rollout();
            raw.run.id = format!("00c0ffee0000000{n}");
            if n == 2 {
                raw.run.warnings.push("its stale NAT entries can cause failures here".into());
            }
            correlate(&raw)
        })
        .collect();
    let pooled = pool(&reports, 4);
    assert!(!pooled.complete, "three of four");
    assert_eq!((pooled.runs_that_lost.count, pooled.runs_that_lost.of_count), (3, 3));
    let failed = &pooled.failed;
    assert!((failed.ratio.unwrap() - 4.0 / 206.0).abs() < 1e-9, "{failed:?}");
    assert!(failed.low_ratio.unwrap() <= failed.binomial_low_ratio.unwrap());
    assert!(pooled.runs[2].nat_entries_alive && pooled.notes.iter().any(|note| note.contains("--wait-nat")));
    insta::assert_snapshot!("repeats_text", loadgen::report::repeat::text(&pooled, Style { width: 110, color: false }));
}
