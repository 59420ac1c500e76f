//! Did the slow pod get less than before?

use crate::report::schema::ShareChange;
use crate::stats::{Blocked, Resampling, WITHIN_RUN, mean_change, ratio, two_sided_p};

/// Fewer than this of either kind in either phase: two proportions cannot be compared by the normal distribution.
const LEAST: u64 = 10;
/// Of the blocks of one phase.
const DRAWN: Resampling = Resampling { draws: 999, least_blocks: 5, least_beyond: 0.0, seed: 83 };

/// Of one phase: connections opened to the slow pod, all of them, and for each request when it was sent and whether the
/// slow pod got it.
#[derive(Clone, Debug, Default)]
pub struct Got {
    /// To the slow pod.
    pub connections: u64,
    /// To all pods.
    pub all_connections: u64,
    /// `(sent, the slow pod got it)`.
    pub requests: Vec<(u64, bool)>,
}

impl Got {
    /// Share by connection.
    pub fn connections_ratio(&self) -> Option<f64> {
        ratio(self.connections, self.all_connections)
    }

    /// Share by request.
    pub fn requests_ratio(&self) -> Option<f64> {
        let got = self.requests.iter().filter(|(_, got)| *got).count();
        ratio(got as u64, self.requests.len() as u64)
    }
}

/// Compares two phases. `None`: one of them has no request.
pub fn change(before: &Got, during: &Got, block_ns: u64) -> Option<ShareChange> {
    let requests_difference_ratio = during.requests_ratio()? - before.requests_ratio()?;
    let blocks = |got: &Got| Blocked::new(got.requests.iter().map(|(at_ns, got)| (at_ns / block_ns, u64::from(*got))));
    let interval = mean_change(&blocks(before), &blocks(during), WITHIN_RUN, &DRAWN);
    Some(ShareChange {
        connections_difference_ratio: before.connections_ratio().zip(during.connections_ratio()).map(|(a, b)| b - a),
        connections_p: two_proportions(before, during),
        requests_difference_ratio,
        requests_low_ratio: interval.map(|interval| interval.low),
        requests_high_ratio: interval.map(|interval| interval.high),
        reacted: interval.map(|interval| interval.high < 0.0),
    })
}

/// p value of equal proportions, both sides, pooled.
fn two_proportions(a: &Got, b: &Got) -> Option<f64> {
    let enough = |got: &Got| got.connections >= LEAST && got.all_connections - got.connections >= LEAST;
    if !enough(a) || !enough(b) {
        return None;
    }
    let (n_a, n_b) = (a.all_connections as f64, b.all_connections as f64);
    let pooled = (a.connections + b.connections) as f64 / (n_a + n_b);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n_a + 1.0 / n_b)).sqrt();
    Some(two_sided_p((b.connections as f64 / n_b - a.connections as f64 / n_a) / deviation))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn got(share: f64, seed: u64) -> Got {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let requests: Vec<(u64, bool)> = (0..600).map(|n| (n, random.random_bool(share))).collect();
        let connections = requests.iter().filter(|(_, got)| *got).count() as u64;
        Got { connections, all_connections: 600, requests }
    }

    #[test]
    fn a_balancer_that_does_nothing_is_rarely_said_to_react() {
        let alarms = (0..200)
            .filter(|seed| change(&got(0.33, *seed), &got(0.33, seed + 1_000), 30).unwrap().reacted == Some(true));
        // One side of a 95 % interval: 2.5 %.
        assert!(alarms.count() <= 14);
    }

    #[test]
    fn one_that_halves_the_share_is_seen_by_both_tests() {
        let change = change(&got(0.33, 1), &got(0.16, 2), 30).unwrap();
        assert_eq!(change.reacted, Some(true));
        assert!(change.connections_p.unwrap() < 1e-6, "{change:?}");
    }

    #[test]
    fn too_little_is_not_told() {
        let few = Got { connections: 1, all_connections: 3, requests: vec![(0, true), (1, false), (2, false)] };
        let told = change(&few, &few, 30).unwrap();
        assert_eq!((told.reacted, told.connections_p), (None, None));
        assert!(change(&Got::default(), &few, 30).is_none());
    }
}
