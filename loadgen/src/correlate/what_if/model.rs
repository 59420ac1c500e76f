//! What kind of server is a pod? Seen from its own requests: does an answer take longer when others are there already?

use super::simulate::Server;

/// Fewer requests than this in either group say nothing.
const LEAST: usize = 20;
/// Answers that take this many times longer beside others have waited for them.
const GROWTH: f64 = 1.5;

/// One request at a pod: from its first byte there to the last byte of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// First byte of the request.
    pub start_ns: u64,
    /// Last byte of the answer.
    pub end_ns: u64,
}

/// A pod as a server, and the service time of each visit in the order given: the whole time at a pod that serves all at
/// once, the pod's own work for it at one that serves them one after the other. Visits must be in order of their start.
pub fn server_of(visits: &[Visit]) -> (Server, Vec<u64>) {
    let at_a_time = if waits_for_others(visits) { Some(1) } else { None };
    let mut free_ns = 0;
    let own_work = |visit: &Visit| {
        let begins_ns = if at_a_time.is_some() { visit.start_ns.max(free_ns) } else { visit.start_ns };
        free_ns = free_ns.max(visit.end_ns);
        visit.end_ns.saturating_sub(begins_ns)
    };
    let service: Vec<u64> = visits.iter().map(own_work).collect();
    let mut sorted = service.clone();
    sorted.sort_unstable();
    (Server { service_ns: sorted, at_a_time }, service)
}

/// Requests that find others at the pod take much longer than those that find few or none.
fn waits_for_others(visits: &[Visit]) -> bool {
    let found = found(visits);
    let mut sorted = found.clone();
    sorted.sort_unstable();
    let Some(median) = sorted.get(sorted.len() / 2) else { return false };
    let many = (*median).max(1);
    let mean = |busy: bool| {
        let group = visits.iter().zip(&found).filter(|(_, found)| (**found >= many) == busy);
        let (sum, count) = group.fold((0.0, 0), |(sum, count), (visit, _)| {
            (sum + visit.end_ns.saturating_sub(visit.start_ns) as f64, count + 1)
        });
        (count >= LEAST).then(|| sum / count as f64)
    };
    mean(true).zip(mean(false)).is_some_and(|(busy, idle)| busy > GROWTH * idle)
}

/// How many others each visit finds there.
fn found(visits: &[Visit]) -> Vec<usize> {
    let mut ends: Vec<u64> = visits.iter().map(|visit| visit.end_ns).collect();
    ends.sort_unstable();
    let gone = |at_ns: u64| ends.partition_point(|end_ns| *end_ns <= at_ns);
    visits.iter().enumerate().map(|(earlier, visit)| earlier.saturating_sub(gone(visit.start_ns))).collect()
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn visits(serial: bool) -> Vec<Visit> {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let (mut now_ns, mut free_ns) = (0_u64, 0);
        (0..2_000)
            .map(|_| {
                now_ns += random.random_range(0..2_000);
                let begins_ns = if serial { now_ns.max(free_ns) } else { now_ns };
                let end_ns = begins_ns + random.random_range(500..900);
                free_ns = end_ns;
                Visit { start_ns: now_ns, end_ns }
            })
            .collect()
    }

    #[test]
    fn one_after_the_other_is_told_from_all_at_once() {
        let (serial, own) = server_of(&visits(true));
        assert_eq!(serial.at_a_time, Some(1));
        assert!(own.iter().all(|ns| (500..900).contains(ns)), "the own work comes out as it went in");
        let (parallel, whole) = server_of(&visits(false));
        assert_eq!(parallel.at_a_time, None);
        assert!(whole.iter().all(|ns| (500..900).contains(ns)));
    }

    #[test]
    fn an_idle_pod_shows_no_waiting() {
        let visits: Vec<Visit> = (0..100).map(|n| Visit { start_ns: n * 1_000, end_ns: n * 1_000 + 10 }).collect();
        assert_eq!(server_of(&visits).0.at_a_time, None);
        assert_eq!(server_of(&[]).0.at_a_time, None);
    }
}
