//! The formula against the cases that the controller's own tests have, and against its properties.

use loadgen::correlate::hpa::formula::{NoAnswer, Pod, Reason, Standing, Tolerance, recommend};
use proptest::prelude::*;

fn pods(standings: &[Standing]) -> Vec<Pod> {
    standings.iter().map(|standing| Pod { standing: *standing, request_milli: 1_000 }).collect()
}

/// Name, replicas, target percent, pods; percent and replicas that the controller answers with. The figures are those of
/// `replica_calculator_test.go` of Kubernetes 1.36, its names without `TestReplicaCalc`.
#[test]
fn the_controllers_own_cases() {
    use Standing::{Ignored, Measured as M, Missing, Unready};
    type Case<'a> = (&'a str, i32, i32, &'a [Standing], i64, i32);
    let cases: &[Case<'_>] = &[
        ("ScaleUp", 3, 30, &[M(300), M(500), M(700)], 50, 5),
        ("ScaleUpUnreadyLessScale", 3, 30, &[Unready, M(500), M(700)], 60, 4),
        ("ScaleUpUnreadyNoScale", 3, 30, &[M(400), Unready, Unready], 40, 3),
        ("ScaleUpIgnoresFailedPods", 2, 30, &[M(500), M(700), Ignored, Ignored], 60, 4),
        ("ScaleDown", 5, 50, &[M(100), M(300), M(500), M(250), M(250)], 28, 3),
        ("ScaleDownIgnoresUnreadyPods", 5, 50, &[M(100), M(300), M(500), Unready, Unready], 30, 2),
        ("MissingMetrics", 4, 100, &[M(400), M(95), Missing, Missing], 24, 3),
        ("MissingMetricsNoChangeEq", 2, 100, &[M(1_000), Missing], 100, 2),
        ("MissingMetricsNoChangeGt", 2, 100, &[M(1_900), Missing], 190, 2),
        ("MissingMetricsNoChangeLt", 2, 100, &[M(600), Missing], 60, 2),
        ("MissingMetricsUnreadyChange", 3, 50, &[Unready, M(450), Missing], 45, 3),
        ("MissingMetricsUnreadyScaleUp", 3, 50, &[Unready, M(2_000), Missing], 200, 4),
        ("MissingMetricsUnreadyScaleDown", 4, 50, &[Unready, M(100), M(100), Missing], 10, 3),
    ];
    for (name, current, target, standings, percent, replicas) in cases {
        let answer = recommend(*current, *target, Tolerance::default(), &pods(standings)).unwrap();
        assert_eq!((answer.percent, answer.replicas), (*percent, *replicas), "{name}");
    }
    let tolerance = [(1_010, 900), (1_030, 1_000), (1_020, 1_100)]
        .map(|(milli, request_milli)| Pod { standing: M(milli), request_milli });
    let answer = recommend(3, 100, Tolerance::default(), &tolerance).unwrap();
    assert_eq!((answer.percent, answer.replicas, answer.reason), (102, 3, Reason::WithinTolerance), "Tolerance");
}

#[test]
fn the_question_of_the_lab() {
    let two = [Pod { standing: Standing::Measured(40), request_milli: 50 }; 2];
    let answer = recommend(2, 50, Tolerance::default(), &two).unwrap();
    assert_eq!((answer.percent, answer.average_milli, answer.replicas), (80, 40, 4));
}

/// 55.9 % of a target of 50 % is a ratio of 1.118, but the controller computes with whole percent: 1.10, which is let be.
#[test]
fn the_ratio_is_of_whole_percent() {
    let pods = [Pod { standing: Standing::Measured(559), request_milli: 1_000 }; 2];
    let answer = recommend(2, 50, Tolerance::default(), &pods).unwrap();
    assert_eq!((answer.percent, answer.replicas, answer.reason), (55, 2, Reason::WithinTolerance));
    let pods = [Pod { standing: Standing::Measured(560), request_milli: 1_000 }; 2];
    assert_eq!(recommend(2, 50, Tolerance::default(), &pods).unwrap().replicas, 3);
}

#[test]
fn without_samples_or_requests_there_is_no_answer() {
    let none = recommend(2, 50, Tolerance::default(), &pods(&[Standing::Unready, Standing::Missing]));
    assert_eq!(none, Err(NoAnswer::NoSample));
    let free = [Pod { standing: Standing::Measured(5), request_milli: 0 }];
    assert_eq!(recommend(1, 50, Tolerance::default(), &free), Err(NoAnswer::NoRequest));
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        6 => (0_i64..3_000).prop_map(Standing::Measured),
        1 => Just(Standing::Unready),
        1 => Just(Standing::Missing),
        1 => Just(Standing::Ignored),
    ]
}

proptest! {
    #[test]
    fn more_use_never_asks_for_fewer(standings in prop::collection::vec(0_i64..3_000, 1..12), more in 0_i64..500, target in 1_i32..100) {
        let measured = |add: i64| pods(&standings.iter().map(|milli| Standing::Measured(milli + add)).collect::<Vec<_>>());
        let current = standings.len() as i32;
        let ask = |add| recommend(current, target, Tolerance::default(), &measured(add)).unwrap().replicas;
        prop_assert!(ask(more) >= ask(0));
    }

    #[test]
    fn pods_that_do_not_count_never_raise_what_is_asked_for(standings in prop::collection::vec(standing(), 1..12), target in 1_i32..100) {
        let current = standings.iter().filter(|s| **s != Standing::Ignored).count() as i32;
        let Ok(answer) = recommend(current, target, Tolerance::default(), &pods(&standings)) else { return Ok(()) };
        // Whatever is filled in, the direction is that of the pods that count.
        if answer.percent > i64::from(target) && matches!(answer.reason, Reason::Filled) {
            prop_assert!(answer.replicas >= current);
        }
        if answer.percent < i64::from(target) && matches!(answer.reason, Reason::Filled) {
            prop_assert!(answer.replicas <= current);
        }
        if matches!(answer.reason, Reason::WithinTolerance | Reason::FilledToNothing) {
            prop_assert_eq!(answer.replicas, current);
        }
    }
}
