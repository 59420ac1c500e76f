//! The simulation against what queueing theory says, and against cases worked by hand.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::policy::Policy;
use super::simulate::{Arrival, Outcome, Server, simulate};

/// Mean service time.
const MEAN_NS: f64 = 1e6;

/// Poisson arrivals at `load` of what `servers` can do, by one chooser.
fn poisson(count: usize, load: f64, servers: usize, seed: u64) -> Vec<Arrival> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let gap_ns = MEAN_NS / (load * servers as f64);
    let mut at_ns = 0.0;
    (0..count)
        .map(|_| {
            at_ns += -gap_ns * (1.0 - random.random::<f64>()).ln();
            Arrival { at_ns: at_ns as u64, chooser: 0, rank: random.random(), measured_pod: 0 }
        })
        .collect()
}

/// Exponential service times as a table of ten thousand quantiles.
fn exponential(at_a_time: Option<usize>) -> Server {
    let quantile = |n: u32| (-MEAN_NS * (1.0 - (f64::from(n) + 0.5) / 10_000.0).ln()) as u64;
    Server { service_ns: (0..10_000).map(quantile).collect(), at_a_time }
}

/// Mean time at the pod in mean service times.
fn mean(outcome: &Outcome) -> f64 {
    let sum: f64 = outcome.served.iter().map(|served| served.took_ns as f64).sum();
    sum / outcome.served.len() as f64 / MEAN_NS
}

fn near(found: f64, truth: f64, within: f64) {
    assert!((found / truth - 1.0).abs() < within, "{found} instead of {truth}");
}

#[test]
fn one_server_is_m_m_1() {
    // 1 / (1 − ρ).
    for (load, truth) in [(0.3, 1.0 / 0.7), (0.7, 1.0 / 0.3)] {
        let outcome = simulate(&poisson(150_000, load, 1, 1), &[exponential(Some(1))], Policy::Random, 1);
        near(mean(&outcome), truth, 0.04);
    }
}

#[test]
fn two_places_are_m_m_2_and_any_number_is_m_m_infinite() {
    // 1 / (1 − ρ²), Erlang C with two servers.
    let outcome = simulate(&poisson(150_000, 0.7, 2, 2), &[exponential(Some(2))], Policy::Random, 1);
    near(mean(&outcome), 1.0 / (1.0 - 0.49), 0.03);
    let outcome = simulate(&poisson(50_000, 50.0, 1, 3), &[exponential(None)], Policy::Random, 1);
    near(mean(&outcome), 1.0, 0.02);
}

#[test]
fn random_is_many_m_m_1_and_round_robin_is_e2_m_1() {
    let arrivals = poisson(200_000, 0.7, 2, 4);
    let servers = [exponential(Some(1)), exponential(Some(1))];
    near(mean(&simulate(&arrivals, &servers, Policy::Random, 1)), 1.0 / 0.3, 0.04);
    // Every second arrival of a Poisson stream: Erlang-2 gaps. σ = (1.4 / (2.4 − σ))² has the root 0.61548.
    near(mean(&simulate(&arrivals, &servers, Policy::RoundRobin, 1)), 1.0 / (1.0 - 0.615_48), 0.03);
}

#[test]
fn two_choices_among_many_are_the_supermarket_model() {
    // Mitzenmacher 2001: Σ λ^(2^i − 2) for i ≥ 1, at λ = 0.9.
    let truth: f64 = (1..8).map(|i| 0.9_f64.powi(2_i32.pow(i) - 2)).sum();
    let servers = vec![exponential(Some(1)); 100];
    let outcome = simulate(&poisson(150_000, 0.9, 100, 5), &servers, Policy::TwoChoices, 1);
    near(mean(&outcome), truth, 0.05);
}

#[test]
fn the_more_a_policy_knows_the_less_its_requests_wait() {
    let arrivals = poisson(60_000, 0.8, 3, 6);
    let servers = vec![exponential(Some(1)); 3];
    let of = |policy| mean(&simulate(&arrivals, &servers, policy, 1));
    let (random, turns) = (of(Policy::Random), of(Policy::RoundRobin));
    let (two, least) = (of(Policy::TwoChoices), of(Policy::LeastRequests));
    assert!(least < two && two < turns && turns < random, "{least} {two} {turns} {random}");
}

fn at(ms: u64, measured_pod: usize) -> Arrival {
    Arrival { at_ns: ms * 1_000_000, chooser: 0, rank: 0.5, measured_pod }
}

fn takes(ms: u64, at_a_time: Option<usize>) -> Server {
    Server { service_ns: vec![ms * 1_000_000], at_a_time }
}

fn pods_and_ms(outcome: &Outcome) -> Vec<(usize, u64)> {
    outcome.served.iter().map(|served| (served.pod, served.took_ns / 1_000_000)).collect()
}

#[test]
fn by_hand() {
    // A fast pod and a slow one, each one request at a time; a request every 2 ms.
    let arrivals: Vec<Arrival> = (0..5).map(|n| at(2 * n, 1)).collect();
    let servers = [takes(1, Some(1)), takes(10, Some(1))];
    let turns = simulate(&arrivals, &servers, Policy::RoundRobin, 1);
    // The second request occupies the slow pod from 2 to 12 ms; the fourth, at 6, waits for it.
    assert_eq!(pods_and_ms(&turns), [(0, 1), (1, 10), (0, 1), (1, 16), (0, 1)]);
    let least = simulate(&arrivals, &servers, Policy::LeastRequests, 1);
    // At 2 ms both are idle and it is the slow one's turn; from then on only the fast one is idle.
    assert_eq!(pods_and_ms(&least), [(0, 1), (1, 10), (0, 1), (0, 1), (0, 1)]);
    assert_eq!((least.in_flight_max, turns.in_flight_max), (1, 2));
    let measured = simulate(&arrivals, &servers, Policy::AsMeasured, 1);
    assert_eq!(pods_and_ms(&measured), [(1, 10), (1, 18), (1, 26), (1, 34), (1, 42)]);
    let all_at_once = simulate(&arrivals, &[takes(1, None), takes(10, None)], Policy::AsMeasured, 1);
    assert_eq!(pods_and_ms(&all_at_once), [(1, 10); 5]);
}

#[test]
fn choosers_know_only_their_own() {
    // Two choosers, both begin to count at nothing: the second one does not see the first one's request.
    let arrivals = [at(0, 0), Arrival { chooser: 1, ..at(1, 0) }, Arrival { chooser: 1, ..at(2, 0) }];
    let outcome = simulate(&arrivals, &[takes(10, None), takes(10, None)], Policy::LeastRequests, 1);
    assert_eq!(outcome.served.iter().map(|served| served.pod).collect::<Vec<_>>(), [0, 1, 0]);
}

#[test]
fn a_latency_aware_policy_leaves_a_slow_pod_alone() {
    let arrivals: Vec<Arrival> = (0..1_000).map(|n| at(10 * n, 0)).collect();
    let servers = [takes(1, None), takes(1, None), takes(200, None)];
    let outcome = simulate(&arrivals, &servers, Policy::PeakEwma, 1);
    let slow = outcome.served.iter().filter(|served| served.pod == 2).count();
    assert!(slow < 20, "{slow} of 1,000 at the slow pod");
    let random = simulate(&arrivals, &servers, Policy::Random, 1);
    assert!(random.served.iter().filter(|served| served.pod == 2).count() > 280);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let arrivals = poisson(1_000, 0.9, 3, 7);
    let servers = vec![exponential(Some(1)); 3];
    assert_eq!(simulate(&arrivals, &servers, Policy::PeakEwma, 9), simulate(&arrivals, &servers, Policy::PeakEwma, 9));
}
