//! Windows, rates, minimum and maximum.

use loadgen::correlate::hpa::limits::{HeldBy, History, Moment, Past, decide};
use loadgen::raw::scaling::{ScalingBehavior, ScalingPolicy, ScalingRules};
use proptest::prelude::*;

const S: u64 = 1_000_000_000;
/// Long after the start of the clock, so that no window begins before it.
const NOW: u64 = 10_000 * S;

fn policy(kind: &str, value: i32, period_s: u32) -> ScalingPolicy {
    ScalingPolicy { kind: kind.into(), value, period_s }
}

fn rules(window_s: u32, policies: &[ScalingPolicy]) -> ScalingRules {
    ScalingRules { window_s: Some(window_s), select: "Max".into(), policies: policies.to_vec(), tolerance_ratio: None }
}

/// The assignment's `ml-inference-hpa`.
fn lab() -> ScalingBehavior {
    ScalingBehavior { up: rules(0, &[policy("Percent", 100, 15)]), down: rules(60, &[policy("Percent", 25, 60)]) }
}

fn at(current: i32, asked: i32, behavior: Option<&ScalingBehavior>) -> Moment<'_> {
    Moment { at_ns: NOW, current, asked, min: 1, max: 100, behavior }
}

fn asked(ago_s: u64, replicas: i32) -> Past {
    Past { first_ns: NOW - ago_s * S, last_ns: NOW - ago_s * S, replicas }
}

#[test]
fn without_rules_the_way_up_doubles_or_goes_to_four() {
    let none = History::default();
    for (current, asked, replicas) in [(1, 10, 4), (2, 10, 4), (3, 10, 6), (10, 15, 15), (10, 90, 20)] {
        assert_eq!(decide(at(current, asked, None), &none, 0).replicas, replicas, "{current} → {asked}");
    }
}

#[test]
fn without_rules_the_way_down_takes_the_highest_of_five_minutes() {
    let history = History { asked: vec![asked(301, 9), asked(299, 7), asked(10, 3)], changed: Vec::new() };
    let decision = decide(at(8, 2, None), &history, 0);
    assert_eq!((decision.replicas, decision.held_by), (7, Some(HeldBy::DownWindow)));
    // With what we cannot tell apart, the older one may still count.
    assert_eq!(decide(at(8, 2, None), &history, 2 * S as i64).replicas, 9);
}

/// "Percent 10 and Pods 4, each within 60 s" of the documentation: 80 pods lose 8 in the first minute, 72 lose 8 (7.2 is
/// rounded up), and below 40 it is four at a time.
#[test]
fn the_documentations_example_of_two_policies() {
    let down = rules(0, &[policy("Pods", 4, 60), policy("Percent", 10, 60)]);
    let behavior = ScalingBehavior { up: rules(0, &[policy("Percent", 100, 15)]), down };
    for (current, replicas) in [(80, 72), (72, 64), (40, 36), (39, 35), (12, 10)] {
        assert_eq!(decide(at(current, 10, Some(&behavior)), &History::default(), 0).replicas, replicas, "{current}");
    }
}

#[test]
fn a_period_counts_what_was_changed_in_it() {
    let behavior = lab();
    // 2 became 4 ten seconds ago: the period began with 2, and 4 is all it allows.
    let recent = History { asked: Vec::new(), changed: vec![(NOW - 10 * S, 2)] };
    let decision = decide(at(4, 8, Some(&behavior)), &recent, 0);
    assert_eq!((decision.replicas, decision.held_by), (4, Some(HeldBy::UpRate)));
    let older = History { asked: Vec::new(), changed: vec![(NOW - 16 * S, 2)] };
    assert_eq!(decide(at(4, 8, Some(&behavior)), &older, 0).replicas, 8);
    // A quarter of 8 within a minute: 6; and no more until the minute is over.
    assert_eq!(decide(at(8, 2, Some(&behavior)), &History::default(), 0).replicas, 6);
    let removed = History { asked: Vec::new(), changed: vec![(NOW - 30 * S, -2)] };
    let decision = decide(at(6, 2, Some(&behavior)), &removed, 0);
    assert_eq!((decision.replicas, decision.held_by), (6, Some(HeldBy::DownRate)));
}

#[test]
fn the_window_of_the_way_down_holds_the_labs_autoscaler() {
    let behavior = lab();
    let history = History { asked: vec![asked(30, 8)], changed: Vec::new() };
    let decision = decide(at(8, 2, Some(&behavior)), &history, 0);
    assert_eq!((decision.replicas, decision.held_by), (8, Some(HeldBy::DownWindow)));
}

#[test]
fn a_number_outside_of_the_limits_is_put_right_at_once() {
    let behavior = lab();
    let moment = |current| Moment { min: 2, max: 8, ..at(current, 5, Some(&behavior)) };
    assert_eq!(decide(moment(1), &History::default(), 0).replicas, 2);
    assert_eq!(decide(moment(9), &History::default(), 0).replicas, 8);
}

#[test]
fn a_disabled_direction_stays() {
    let mut behavior = lab();
    behavior.down.select = "Disabled".into();
    assert_eq!(decide(at(8, 2, Some(&behavior)), &History::default(), 0).replicas, 8);
}

proptest! {
    #[test]
    fn decisions_stay_within_the_limits_and_never_turn_round(
        current in 1_i32..20, asked_for in 0_i32..60, min in 1_i32..5, more in 0_i32..20, ruled: bool,
        history in prop::collection::vec((0_u64..400, 1_i32..30), 0..6),
    ) {
        let behavior = lab();
        let mut past: Vec<Past> = history.iter().map(|(ago_s, replicas)| asked(*ago_s, *replicas)).collect();
        past.sort_by_key(|past| past.last_ns);
        let moment = Moment { min, max: min + more, ..at(current, asked_for, ruled.then_some(&behavior)) };
        let decision = decide(moment, &History { asked: past.clone(), changed: Vec::new() }, 0);
        prop_assert!((min..=min + more).contains(&decision.replicas));
        let highest = past.iter().map(|past| past.replicas).fold(asked_for, i32::max);
        if (min..=min + more).contains(&current) {
            if asked_for >= current { prop_assert!(decision.replicas >= current); }
            if highest <= current { prop_assert!(decision.replicas <= current); }
        }
    }
}
