//! Requests, pods, and a policy between them: event by event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::policy::{Chooser, Policy};

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// When it comes to its pod.
    pub at_ns: u64,
    /// Who chooses.
    pub chooser: u32,
    /// Where its service time lies among those of a pod, from 0 (shortest) to 1: a heavy request is heavy at every pod, and
    /// all policies get the same requests.
    pub rank: f64,
    /// The pod that really served it.
    pub measured_pod: usize,
}

/// One pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Service times, the shortest first.
    pub service_ns: Vec<u64>,
    /// Requests that it works on at a time; others wait in order. `None`: any number.
    pub at_a_time: Option<usize>,
}

impl Server {
    fn service_ns(&self, rank: f64) -> u64 {
        let at = (rank * self.service_ns.len() as f64) as usize;
        self.service_ns[at.min(self.service_ns.len() - 1)]
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its pod.
    pub pod: usize,
    /// Time at the pod, waiting included.
    pub took_ns: u64,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In the order of the arrivals.
    pub served: Vec<Served>,
    /// Most requests at one pod at a time.
    pub in_flight_max: u64,
}

/// Runs it. Arrivals must be in order of time; every server must have a service time.
pub fn simulate(arrivals: &[Arrival], servers: &[Server], policy: Policy, seed: u64) -> Outcome {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut choosers: HashMap<u32, Chooser> = HashMap::new();
    // When each of a pod's places is free again.
    let mut free: Vec<BinaryHeap<Reverse<u64>>> =
        servers.iter().map(|server| vec![Reverse(0); server.at_a_time.unwrap_or(0)].into()).collect();
    let mut under_way: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut at_pod = vec![0_u64; servers.len()];
    let mut outcome = Outcome { served: Vec::with_capacity(arrivals.len()), in_flight_max: 0 };
    for (position, arrival) in arrivals.iter().enumerate() {
        while let Some(Reverse((end_ns, earlier))) = under_way.peek().copied().filter(|top| top.0.0 <= arrival.at_ns) {
            under_way.pop();
            let done = outcome.served[earlier];
            at_pod[done.pod] -= 1;
            if let Some(chooser) = choosers.get_mut(&arrivals[earlier].chooser) {
                chooser.answered(done.pod, done.took_ns, end_ns);
            }
        }
        let next = choosers.len();
        let chooser = choosers.entry(arrival.chooser).or_insert_with(|| Chooser::new(servers.len(), next));
        let pod = chooser.choose(policy, arrival.measured_pod, arrival.at_ns, &mut random);
        let service_ns = servers[pod].service_ns(arrival.rank);
        let begins_ns = free[pod].pop().map_or(arrival.at_ns, |Reverse(free_ns)| free_ns.max(arrival.at_ns));
        let end_ns = begins_ns + service_ns;
        if servers[pod].at_a_time.is_some() {
            free[pod].push(Reverse(end_ns));
        }
        under_way.push(Reverse((end_ns, position)));
        at_pod[pod] += 1;
        outcome.in_flight_max = outcome.in_flight_max.max(at_pod[pod]);
        outcome.served.push(Served { pod, took_ns: end_ns - arrival.at_ns });
    }
    outcome
}
