//! The decision against choosers whose pattern is known: it names them, and its false alarms are as rare as stated.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::choices::{Choices, Choosers};
use super::decide::{FALSE_ALARM, Pattern, decide, least_choices, smallest_difference};

/// `gateways` gateway pods with two threads each share `count` choices; `pick` gets the gateway and its own count so far.
fn choices(
    pods: usize,
    count: usize,
    gateways: u32,
    seed: u64,
    mut pick: impl FnMut(u32, usize, &mut ChaCha8Rng) -> usize,
) -> Choices {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut made = vec![0; gateways as usize];
    let list = (0..count).map(|_| {
        let gateway = random.random_range(0..gateways);
        let thread = gateway * 2 + random.random_range(0..2);
        let so_far = made[gateway as usize];
        made[gateway as usize] += 1;
        (pick(gateway, so_far, &mut random) as u32, [0, 0, gateway, thread, 0])
    });
    made_of(pods, list)
}

fn made_of(pods: usize, list: impl Iterator<Item = (u32, Choosers)>) -> Choices {
    let mut choices = Choices::new(pods, 0);
    list.for_each(|(pod, choosers)| choices.push(pod, choosers));
    choices
}

fn patterns(runs: u64, make: impl Fn(u64) -> Choices) -> Vec<Pattern> {
    (0..runs).map(|seed| decide(&make(seed), FALSE_ALARM).pattern).collect()
}

fn random(pods: usize, count: usize, gateways: u32, seed: u64) -> Choices {
    choices(pods, count, gateways, seed, |_, _, random| random.random_range(0..pods))
}

#[test]
fn false_alarms_are_as_rare_as_stated() {
    // (pods, choices, gateways): from the smallest run that is decided at all.
    for (pods, count, gateways) in [(2, 30, 1), (2, 400, 2), (3, 60, 2), (3, 3_000, 2), (6, 120, 3)] {
        let runs = if count > 1_000 { 400 } else { 2_000 };
        for limit in [0.05, FALSE_ALARM] {
            let alarms = (0..runs)
                .filter(|seed| decide(&random(pods, count, gateways, *seed), limit).pattern != Pattern::Random)
                .count() as f64;
            // The stated rate, and three and a half standard errors of so many runs.
            let most = runs as f64 * limit + 3.5 * (runs as f64 * limit * (1.0 - limit)).sqrt();
            assert!(alarms <= most, "{pods} pods, {count} choices, limit {limit}: {alarms} alarms, at most {most:.1}");
        }
    }
}

#[test]
fn one_round_robin_is_found() {
    for (pods, count) in [(2, 30), (3, 30), (3, 200), (10, 100)] {
        let found = patterns(100, |seed| choices(pods, count, 1, seed, |_, so_far, _| (so_far + seed as usize) % pods));
        assert!(found.iter().all(|pattern| *pattern == Pattern::RoundRobin), "{pods} {count}: {found:?}");
    }
}

#[test]
fn interleaved_round_robins_are_found_in_their_own_sequences() {
    for pods in [2, 3, 5] {
        let make = |seed| choices(pods, 200, 2, seed, |gateway, so_far, _| (so_far + gateway as usize) % pods);
        for seed in 0..100 {
            let decision = decide(&make(seed), FALSE_ALARM);
            assert_eq!(decision.pattern, Pattern::RoundRobin, "{pods} {seed}: {decision:?}");
            assert!(decision.why.contains("gateway pod by gateway pod"), "{}", decision.why);
        }
    }
}

#[test]
fn two_round_robins_in_strict_alternation_are_not_sticky() {
    let list = (0..200_u32).map(|n| {
        let (gateway, turn) = (n % 2, n / 2);
        (turn % 3, [0, 0, gateway, gateway, 0])
    });
    assert_eq!(decide(&made_of(3, list), FALSE_ALARM).pattern, Pattern::RoundRobin);
}

#[test]
fn choosers_that_keep_to_their_pod_are_sticky() {
    // By gateway: what session affinity by client address makes of two gateway pods.
    let found = patterns(100, |seed| choices(3, 60, 2, seed, |gateway, _, _| gateway as usize));
    assert!(found.iter().all(|pattern| *pattern == Pattern::Sticky), "{found:?}");
    // By client: forty clients, each with a pod of its own.
    for seed in 0..100 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let list = (0..200).map(|_| {
            let (client, thread): (u32, u32) = (random.random_range(0..40), random.random_range(0..4));
            ((client.wrapping_mul(2_654_435_761) >> 7) % 3, [0, 0, thread / 2, thread, client])
        });
        assert_eq!(decide(&made_of(3, list), FALSE_ALARM).pattern, Pattern::Sticky, "{seed}");
    }
    // One gateway that always gets the same pod.
    let found = patterns(10, |seed| choices(3, 60, 1, seed, |_, _, _| 2));
    assert!(found.iter().all(|pattern| *pattern == Pattern::Sticky));
    // Two clients in strict turn look like round-robin as a whole, and are not.
    let list = (0..100_u32).map(|n| (n % 2, [0, 0, 0, 0, n % 2]));
    assert_eq!(decide(&made_of(2, list), FALSE_ALARM).pattern, Pattern::Sticky);
}

#[test]
fn nine_to_one_is_weighted() {
    // Of sixty, one pod gets all in one run of five hundred, and then it might as well be sticky.
    for count in [120, 200, 2_000] {
        let found = patterns(100, |seed| choices(2, count, 2, seed, |_, _, r| usize::from(r.random_bool(0.1))));
        assert!(found.iter().all(|pattern| *pattern == Pattern::Weighted), "{count}: {found:?}");
    }
}

#[test]
fn the_smallest_difference_is_found_in_nine_of_ten_runs() {
    for pods in [2, 4] {
        // Three levels, two tests each.
        let (count, p_limit) = (2_000, FALSE_ALARM / 6.0);
        let off = smallest_difference(pods, count, p_limit).unwrap_or_default();
        let first = 1.0 / pods as f64 + off;
        let make = |seed| {
            choices(pods, count as usize, 2, seed, |_, _, random| {
                if random.random_bool(first) { 0 } else { random.random_range(1..pods) }
            })
        };
        let found = patterns(200, make).iter().filter(|pattern| **pattern == Pattern::Weighted).count();
        assert!((164..=194).contains(&found), "{pods} pods: {found} of 200 at {off}");
    }
}

#[test]
fn the_ten_requests_of_the_lab_are_too_few() {
    let decision = decide(&random(2, 10, 2, 1), FALSE_ALARM);
    assert_eq!(decision.pattern, Pattern::Undecided);
    assert!(decision.why.contains("10 new connections are too few"), "{}", decision.why);
    assert_eq!(least_choices(2), 30);
    assert_eq!(decide(&random(1, 100, 1, 1), FALSE_ALARM).pattern, Pattern::Undecided);
}

#[test]
fn half_turns_are_neither_chance_nor_turns() {
    // Every fourth choice repeats where chance would repeat half of them.
    let found = patterns(20, |seed| {
        let mut last = 0;
        choices(2, 3_000, 1, seed, move |_, _, random| {
            last = if random.random_bool(0.35) { last } else { 1 - last };
            last
        })
    });
    assert!(found.iter().all(|pattern| *pattern == Pattern::Undecided), "{found:?}");
}
