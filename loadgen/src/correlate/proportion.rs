//! Shares of a whole and what can be said of them: exact intervals and exact tests.
//!
//! Each takes counts. A count larger than its total, or a total of 0, has no answer: `None`.

use statrs::distribution::{Binomial, Discrete as _};

use crate::stats::{clopper_pearson, fisher_p};

/// Confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// Probabilities this close count as equal: they differ only by rounding.
const EQUAL: f64 = 1.0 + 1e-7;

/// `hits / total`.
pub fn ratio(hits: u64, total: u64) -> Option<f64> {
    (total > 0 && hits <= total).then(|| hits as f64 / total as f64)
}

/// Interval of Clopper and Pearson (1934): it holds the true share in at least 95 % of all runs, whatever that share is.
pub fn interval(hits: u64, total: u64) -> Option<(f64, f64)> {
    clopper_pearson(hits, total, CONFIDENCE).map(|interval| (interval.low, interval.high))
}

/// None of `total` was hit: the true share is below this with 95 % confidence (one-sided; about `3 / total`).
pub fn below_if_none(total: u64) -> Option<f64> {
    (total > 0).then(|| 1.0 - (1.0 - CONFIDENCE).powf(1.0 / total as f64))
}

/// Smallest total of which none being hit puts the true share below `ratio` with 95 % confidence.
pub fn least_total_to_exclude(ratio: f64) -> u64 {
    ((1.0 - CONFIDENCE).ln() / (1.0 - ratio).ln()).ceil() as u64
}

/// Fisher's exact test, two-sided: the probability of a table at most as likely as this one, if both have one share.
pub fn fisher(a_hits: u64, a_total: u64, b_hits: u64, b_total: u64) -> Option<f64> {
    fisher_p((a_hits, a_total), (b_hits, b_total))
}

/// Exact binomial test, two-sided: the probability of a count at most as likely as this one, if the share is `expected`.
pub fn binomial(hits: u64, total: u64, expected: f64) -> Option<f64> {
    ratio(hits, total)?;
    let counts = Binomial::new(expected, total).ok()?;
    let pmf = |count| counts.ln_pmf(count).exp();
    let seen = pmf(hits);
    let p: f64 = (0..=total).map(pmf).filter(|p| *p <= seen * EQUAL).sum();
    Some(p.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    /// Figures of R 4: `binom.test(k, n)$conf.int`, `fisher.test(...)$p.value`, `binom.test(k, n, p)$p.value`.
    #[test]
    fn the_figures_of_the_textbooks() {
        let (low, high) = interval(10, 100).unwrap();
        assert!(near(low, 0.04900) && near(high, 0.17622), "{low} {high}");
        let (low, high) = interval(0, 20).unwrap();
        assert!(low == 0.0 && near(high, 0.16843), "{high}");
        assert!(near(interval(20, 20).unwrap().0, 0.83157));
        // The lady tasting tea.
        assert!(near(fisher(3, 4, 1, 4).unwrap(), 0.48571));
        assert!(near(fisher(1, 10, 11, 14).unwrap(), 0.002_759_5));
        assert!(near(binomial(7, 20, 0.5).unwrap(), 0.26318));
        assert!(near(below_if_none(300).unwrap(), 0.00994));
        assert_eq!(least_total_to_exclude(0.01), 299);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(interval(0, 0), None);
        assert_eq!(interval(2, 1), None);
        assert_eq!(fisher(0, 0, 1, 2), None);
        assert_eq!(below_if_none(0), None);
        assert_eq!(binomial(0, 0, 0.1), None);
    }

    #[test]
    fn equal_counts_show_no_difference_and_large_ones_do_not_overflow() {
        assert!(near(fisher(0, 5_000, 0, 6_000).unwrap(), 1.0));
        assert!(near(fisher(50, 5_000, 50, 5_000).unwrap(), 1.0));
        assert!(fisher(168, 6_271, 0, 8_000).unwrap() < 1e-30);
        assert!(fisher(40_000, 500_000, 40_100, 500_000).unwrap() > 0.1);
    }

    /// Hits of `total` draws at `share`, deterministic.
    fn draw(random: &mut ChaCha8Rng, total: u64, share: f64) -> u64 {
        (0..total).filter(|_| random.random::<f64>() < share).count() as u64
    }

    #[test]
    fn stated_error_rates_hold_against_a_known_generator() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let (mut outside, mut fisher_alarms, mut binomial_alarms) = (0, 0, 0);
        for _ in 0..1_000 {
            let (a, b) = (draw(&mut random, 400, 0.1), draw(&mut random, 300, 0.1));
            let (low, high) = interval(a, 400).unwrap();
            outside += u32::from(!(low..=high).contains(&0.1));
            fisher_alarms += u32::from(fisher(a, 400, b, 300).unwrap() < 0.05);
            binomial_alarms += u32::from(binomial(a, 400, 0.1).unwrap() < 0.05);
        }
        // At most 5 % each, and 1,000 draws of 5 % exceed 67 once in a hundred times.
        assert!(outside <= 67 && fisher_alarms <= 67 && binomial_alarms <= 67);
        // Tests that never speak would pass as well: a true difference must be seen.
        let seen = (0..100).filter(|_| {
            let (a, b) = (draw(&mut random, 400, 0.1), draw(&mut random, 400, 0.3));
            fisher(a, 400, b, 400).unwrap() < 0.01
        });
        assert!(seen.count() >= 99);
    }
}
