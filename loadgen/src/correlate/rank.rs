//! Two samples compared by rank: no assumption on how latencies are distributed.

use statrs::distribution::{ContinuousCDF as _, Normal};

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// Probability that a value of the first sample is larger than one of the second; ties count half.
    pub larger_ratio: f64,
    /// Two-sided p value of "neither tends to be larger".
    pub p_value: f64,
}

/// Smallest sample for which the normal approximation is good enough.
const LEAST: usize = 20;

/// Mann and Whitney (1947), with the normal approximation, corrected for ties and continuity. `None`: a sample is too small,
/// or all values are equal. The library's own test compares every pair of values first: too slow for a long run.
pub fn mann_whitney(first: &[u64], second: &[u64]) -> Option<RankTest> {
    if first.len() < LEAST || second.len() < LEAST {
        return None;
    }
    let mut all: Vec<(u64, bool)> = Vec::with_capacity(first.len() + second.len());
    all.extend(first.iter().map(|value| (*value, true)));
    all.extend(second.iter().map(|value| (*value, false)));
    all.sort_unstable();
    let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let count = equal.len() as f64;
        let of_first = equal.iter().filter(|(_, is_first)| *is_first).count() as f64;
        rank_sum += of_first * (before + f64::midpoint(count, 1.0));
        ties += count.powi(3) - count;
        before += count;
    }
    let (n, m) = (first.len() as f64, second.len() as f64);
    let larger = rank_sum - n * (n + 1.0) / 2.0;
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return None;
    }
    let distance = ((larger - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    let p_value = (2.0 * Normal::standard().sf(distance)).min(1.0);
    Some(RankTest { larger_ratio: larger / (n * m), p_value })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Skewed like latencies: the product of two uniform draws, in whole microseconds, so with ties.
    fn sample(random: &mut ChaCha8Rng, count: usize, stretch: f64) -> Vec<u64> {
        (0..count).map(|_| (random.random::<f64>() * random.random::<f64>() * 400.0 * stretch) as u64).collect()
    }

    #[test]
    fn equal_samples_are_rarely_told_apart_and_different_ones_nearly_always() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut alarm = |stretch: f64| {
            let pairs = (0..1_000).map(|_| (sample(&mut random, 60, stretch), sample(&mut random, 400, 1.0)));
            pairs.filter(|(a, b)| mann_whitney(a, b).unwrap().p_value < 0.05).count()
        };
        let (equal, slower) = (alarm(1.0), alarm(2.0));
        // 5 %, and 1,000 draws of 5 % lie between 29 and 71 in all but 2 of 1,000 cases.
        assert!((29..=71).contains(&equal), "{equal}");
        assert!(slower > 900, "{slower}");
    }

    #[test]
    fn ties_count_half_and_nothing_is_said_of_little() {
        let (low, high) = (vec![1; 30], vec![2; 30]);
        assert_eq!(mann_whitney(&low, &low), None);
        let test = mann_whitney(&high, &low).unwrap();
        assert!((test.larger_ratio - 1.0).abs() < 1e-12 && test.p_value < 1e-9);
        assert_eq!(mann_whitney(&low[..5], &high), None);
    }
}
