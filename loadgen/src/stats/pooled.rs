//! Several runs of one kind as one figure, with what differs from run to run in its interval.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{Interval, clopper_pearson};

/// A share over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PooledRatio {
    /// All hits of all tries.
    pub ratio: f64,
    /// As if all tries of all runs were independent (Clopper and Pearson).
    pub binomial: Interval,
    /// With the run as the unit: the ratio estimator's variance over runs and Student's t (Cochran, Sampling Techniques,
    /// chapter 6). `None`: a single run.
    pub between_runs: Option<Interval>,
    /// The one that is to be used: the hull of the two. Few runs can agree by luck, and a burst within a run makes the
    /// binomial one too narrow.
    pub interval: Interval,
    /// Variance between runs over what independent tries would make it; about 1 when they are independent. `None`: a
    /// single run, or nothing hit.
    pub dispersion: Option<f64>,
}

/// Pools `(hits, tries)` of each run. `None`: no tries.
pub fn pooled_ratio(runs: &[(u64, u64)], confidence: f64) -> Option<PooledRatio> {
    let (hits, tries) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    let binomial = clopper_pearson(hits, tries, confidence)?;
    let ratio = hits as f64 / tries as f64;
    let n = runs.len() as f64;
    let squares: f64 = runs.iter().map(|(k, m)| (*k as f64 - ratio * *m as f64).powi(2)).sum();
    let spread = (runs.len() > 1).then(|| (n / (n - 1.0) * squares).sqrt() / tries as f64);
    let between_runs = spread.and_then(|spread| {
        let reach = student(n - 1.0, confidence)? * spread;
        Some(Interval { low: (ratio - reach).max(0.0), high: (ratio + reach).min(1.0) })
    });
    let independent = ratio * (1.0 - ratio) / tries as f64;
    Some(PooledRatio {
        ratio,
        binomial,
        between_runs,
        interval: between_runs.map_or(binomial, |between| binomial.hull(between)),
        dispersion: spread.filter(|_| independent > 0.0).map(|spread| spread * spread / independent),
    })
}

/// Mean of one value per run, with Student's interval. `None`: fewer than two runs.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<(f64, Interval)> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let reach = student(n - 1.0, confidence)? * (variance / n).sqrt();
    Some((mean, Interval { low: mean - reach, high: mean + reach }))
}

/// Difference of the means of two groups of runs, second minus first, with Welch's interval. `None`: fewer than two runs
/// on a side.
pub fn mean_difference(a: &[f64], b: &[f64], confidence: f64) -> Option<Interval> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let moments = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n, n - 1.0)
    };
    let ((mean_a, error_a, freedom_a), (mean_b, error_b, freedom_b)) = (moments(a), moments(b));
    let all = error_a + error_b;
    // Runs that agree exactly leave nothing to estimate.
    let freedom = if all > 0.0 {
        all * all / (error_a * error_a / freedom_a + error_b * error_b / freedom_b)
    } else {
        freedom_a + freedom_b
    };
    let reach = student(freedom, confidence)? * all.sqrt();
    Some(Interval { low: mean_b - mean_a - reach, high: mean_b - mean_a + reach })
}

fn student(freedom: f64, confidence: f64) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(1.0 - (1.0 - confidence) / 2.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn one_run_is_binomial_and_several_are_told_apart() {
        let one = pooled_ratio(&[(10, 1_000)], 0.95).unwrap();
        assert_eq!((one.between_runs, one.interval), (None, one.binomial));
        // 0, 10 and 20 of 1,000: far more spread than chance makes.
        let three = pooled_ratio(&[(0, 1_000), (10, 1_000), (20, 1_000)], 0.95).unwrap();
        assert!(three.dispersion.unwrap() > 8.0, "{three:?}");
        assert!(three.interval.high > 0.03 && three.interval.low == 0.0, "{three:?}");
        assert!(pooled_ratio(&[], 0.95).is_none());
        let (mean, interval) = mean_interval(&[1.0, 2.0, 3.0], 0.95).unwrap();
        assert!((mean - 2.0).abs() < 1e-12 && (interval.high - 4.4841).abs() < 1e-3, "{interval:?}");
    }

    /// Runs that lose in bursts (each of three deletions loses 0 to 60 requests): the pooled interval holds the true share,
    /// where the binomial one alone does not.
    #[test]
    fn the_interval_holds_where_failures_come_in_bursts() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for runs in [3, 5, 10] {
            let (mut missed, mut binomial_missed, rounds) = (0, 0, 600);
            let truth = 90.0 / 6_000.0;
            for _ in 0..rounds {
                let lost: Vec<(u64, u64)> =
                    (0..runs).map(|_| ((0..3).map(|_| rng.random_range(0..=60_u64)).sum(), 6_000)).collect();
                let pooled = pooled_ratio(&lost, 0.95).unwrap();
                missed += u32::from(!pooled.interval.contains(truth));
                binomial_missed += u32::from(!pooled.binomial.contains(truth));
            }
            let rate = |n: u32| f64::from(n) / f64::from(rounds);
            assert!(rate(missed) <= 0.07, "{runs} runs: {}", rate(missed));
            assert!(rate(binomial_missed) > 0.1, "{runs} runs: {}", rate(binomial_missed));
        }
    }

    #[test]
    fn the_interval_holds_where_requests_are_independent() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let (mut missed, rounds) = (0, 500);
        for _ in 0..rounds {
            let lost: Vec<(u64, u64)> =
                (0..5).map(|_| ((0..2_000).filter(|_| rng.random_bool(0.01)).count() as u64, 2_000)).collect();
            missed += u32::from(!pooled_ratio(&lost, 0.95).unwrap().interval.contains(0.01));
        }
        assert!(f64::from(missed) / f64::from(rounds) <= 0.05, "{missed}");
    }
}
