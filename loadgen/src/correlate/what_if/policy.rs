//! Policies. Each chooser keeps a state of its own and knows only of its own requests, as real gateways do.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// How a pod is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The pod that really served the request: shows what the model makes of what is known.
    AsMeasured,
    /// Any, each alike (kube-proxy's iptables and nftables modes).
    Random,
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in flight; of equals the next in turn (nginx `least_conn`).
    LeastRequests,
    /// Two at random, then the one with fewer in flight (nginx `random two`; Mitzenmacher 2001).
    TwoChoices,
    /// Two at random, then the lower product of latency and requests in flight (Finagle's and Linkerd's Peak EWMA).
    PeakEwma,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::AsMeasured, Self::Random, Self::RoundRobin, Self::LeastRequests, Self::TwoChoices, Self::PeakEwma];

    /// As the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsMeasured => "as_measured",
            Self::Random => "random",
            Self::RoundRobin => "round_robin",
            Self::LeastRequests => "least_requests",
            Self::TwoChoices => "two_choices",
            Self::PeakEwma => "peak_ewma",
        }
    }

    /// What it does, in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::AsMeasured => "the pods that really served: the model's own error shows here",
            Self::Random => "any pod, each alike, as kube-proxy's iptables and nftables rules choose",
            Self::RoundRobin => "one pod after the other",
            Self::LeastRequests => "the pod with the fewest requests in flight, as nginx least_conn chooses",
            Self::TwoChoices => "two pods at random, then the one with fewer requests in flight, as nginx random two",
            Self::PeakEwma => {
                "two pods at random, then the lower product of recent latency and requests in flight, as Linkerd chooses"
            }
        }
    }
}

/// Finagle's default: what was this long ago has a weight of 1/e.
const DECAY_NS: f64 = 10e9;
/// Finagle's cost of a pod that has requests in flight and no answer yet: more than any latency.
const NO_ANSWER_YET: f64 = 1e18;

/// Peak-sensitive moving average of latency: a rise counts at once, a fall slowly.
#[derive(Clone, Copy, Debug, Default)]
struct PeakEwma {
    cost_ns: f64,
    stamp_ns: u64,
}

impl PeakEwma {
    fn observe(&mut self, latency_ns: f64, now_ns: u64) {
        if latency_ns > self.cost_ns {
            self.cost_ns = latency_ns;
        } else {
            let weight = (-(now_ns.saturating_sub(self.stamp_ns) as f64) / DECAY_NS).exp();
            self.cost_ns = self.cost_ns * weight + latency_ns * (1.0 - weight);
        }
        self.stamp_ns = now_ns;
    }

    fn load(&mut self, in_flight: u32, now_ns: u64) -> f64 {
        self.observe(0.0, now_ns);
        if self.cost_ns == 0.0 && in_flight > 0 {
            NO_ANSWER_YET + f64::from(in_flight)
        } else {
            self.cost_ns * f64::from(in_flight + 1)
        }
    }
}

/// One chooser's knowledge.
#[derive(Clone, Debug)]
pub struct Chooser {
    turn: usize,
    in_flight: Vec<u32>,
    latency: Vec<PeakEwma>,
}

impl Chooser {
    /// Choosers do not begin their turns at the same pod.
    pub fn new(pods: usize, first: usize) -> Self {
        Self { turn: first % pods, in_flight: vec![0; pods], latency: vec![PeakEwma::default(); pods] }
    }

    /// Chooses, and counts the request.
    pub fn choose(&mut self, policy: Policy, measured: usize, now_ns: u64, random: &mut ChaCha8Rng) -> usize {
        let pods = self.in_flight.len();
        let pod = match policy {
            Policy::AsMeasured => measured,
            Policy::Random => random.random_range(0..pods),
            Policy::RoundRobin => self.turn,
            Policy::LeastRequests => {
                let from_turn = (0..pods).map(|step| (self.turn + step) % pods);
                from_turn.min_by_key(|pod| self.in_flight[*pod]).unwrap_or(0)
            }
            Policy::TwoChoices => {
                let (a, b) = two(pods, random);
                if self.in_flight[b] < self.in_flight[a] { b } else { a }
            }
            Policy::PeakEwma => {
                let (a, b) = two(pods, random);
                let mut load = |pod: usize| self.latency[pod].load(self.in_flight[pod], now_ns);
                if load(b) < load(a) { b } else { a }
            }
        };
        self.turn = (pod + 1) % pods;
        self.in_flight[pod] += 1;
        pod
    }

    /// The answer has come.
    pub fn answered(&mut self, pod: usize, latency_ns: u64, now_ns: u64) {
        self.in_flight[pod] -= 1;
        self.latency[pod].observe(latency_ns as f64, now_ns);
    }
}

/// Two different pods, or twice the only one.
fn two(pods: usize, random: &mut ChaCha8Rng) -> (usize, usize) {
    let a = random.random_range(0..pods);
    if pods == 1 {
        return (a, a);
    }
    let b = random.random_range(0..pods - 1);
    (a, if b >= a { b + 1 } else { b })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_rise_counts_at_once_and_a_fall_slowly() {
        let mut latency = PeakEwma::default();
        latency.observe(100.0, 0);
        assert!((latency.cost_ns - 100.0).abs() < 1e-9);
        // Ten seconds later: 1/e of the old, the rest of the new.
        latency.observe(10.0, 10_000_000_000);
        assert!((latency.cost_ns - (100.0 * (-1.0_f64).exp() + 10.0 * (1.0 - (-1.0_f64).exp()))).abs() < 1e-9);
        latency.observe(200.0, 10_000_000_001);
        assert!((latency.cost_ns - 200.0).abs() < 1e-9);
    }

    #[test]
    fn two_are_different_and_each_pair_alike() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [[0_u32; 3]; 3];
        for _ in 0..6_000 {
            let (a, b) = two(3, &mut random);
            seen[a][b] += 1;
        }
        for (a, row) in seen.iter().enumerate() {
            for (b, count) in row.iter().enumerate() {
                assert!(if a == b { *count == 0 } else { (850..1_150).contains(count) }, "{seen:?}");
            }
        }
        assert_eq!(two(1, &mut random), (0, 0));
    }
}
