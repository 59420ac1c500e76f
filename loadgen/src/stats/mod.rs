//! Statistics: values in, values out. Each function names its source; what it promises is tested with known generators.
//! Randomness comes from a named seed.

mod blocks;
mod clustered;
mod exact;
mod permutation;
mod pooled;
mod proportion;
mod ranks;

pub use blocks::{Blocked, QuantileChange, Resampling, mean_change, quantile_changes};
pub use clustered::{Clusters, clustered_share};
pub use exact::{binomial_p, fisher_p};
pub use permutation::permutation_p;
pub use pooled::{PooledRatio, mean_difference, mean_interval, pooled_ratio};
pub use proportion::{below_if_none, clopper_pearson, least_total_to_exclude, newcombe, ratio, wilson};
pub use ranks::{RankTest, mann_whitney};

use statrs::distribution::{ContinuousCDF as _, Normal};

/// Between runs: how often an interval holds the true value, and one minus how often a difference is called significant that
/// is none. One false alarm in a hundred comparisons of equal things.
pub const CONFIDENCE: f64 = 0.99;

/// The same of the intervals that describe a single run.
pub const WITHIN_RUN: f64 = 0.95;

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether it holds a value.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The smallest interval that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// Probability that a standard normal value lies further from 0 than `z`, on both sides.
pub fn two_sided_p(z: f64) -> f64 {
    (2.0 * Normal::standard().sf(z.abs())).clamp(0.0, 1.0)
}

/// The point that a standard normal value stays below with probability `p`.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Holm's step-down adjustment of many p values, in their order (Holm 1979): the chance of one false alarm among all
/// of them stays what it would be for one.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        largest = largest.max((p_values[place] * factor).min(1.0));
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_as_in_the_book() {
        // 0.01 × 4, 0.013 × 3, 0.03 × 2, 0.04 × 1, never smaller than the one before.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.013]);
        let wanted = [0.04, 0.06, 0.06, 0.04];
        assert!(adjusted.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{adjusted:?}");
    }

    #[test]
    fn the_normal_distribution_as_in_the_tables() {
        assert!((two_sided_p(-1.959_964) - 0.05).abs() < 1e-6);
        assert!((normal_quantile(0.9) - 1.281_552).abs() < 1e-6);
    }
}
