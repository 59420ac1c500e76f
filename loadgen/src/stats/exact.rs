//! Exact tests of counts, two-sided: the probability of what is at most as likely as what was seen.

use statrs::distribution::{Binomial, Discrete as _, Hypergeometric};

/// Equally likely tables and counts differ by rounding only (of the logarithm).
const ROUNDING: f64 = 1e-7;

/// Fisher's exact test of two `(hits, total)`, if both have one share. `None`: a total is 0, or less than its hits.
pub fn fisher_p(a: (u64, u64), b: (u64, u64)) -> Option<f64> {
    let all = a.1 + b.1;
    if a.1 == 0 || b.1 == 0 || a.0 > a.1 || b.0 > b.1 {
        return None;
    }
    // The rarer outcome has the shorter list of tables.
    let hits = a.0 + b.0;
    let (seen, marked) = if hits * 2 <= all { (a.0, hits) } else { (a.1 - a.0, all - hits) };
    let tables = Hypergeometric::new(all, marked, a.1).ok()?;
    let least = (marked + a.1).saturating_sub(all);
    Some(at_most_as_likely(least..=marked.min(a.1), seen, |count| tables.ln_pmf(count)))
}

/// Binomial test of `hits` of `total`, if the share is `expected`. `None`: nothing was tried, or hit more often than tried.
pub fn binomial_p(hits: u64, total: u64, expected: f64) -> Option<f64> {
    if total == 0 || hits > total {
        return None;
    }
    let counts = Binomial::new(expected, total).ok()?;
    Some(at_most_as_likely(0..=total, hits, |count| counts.ln_pmf(count)))
}

fn at_most_as_likely(counts: impl Iterator<Item = u64>, seen: u64, ln_pmf: impl Fn(u64) -> f64) -> f64 {
    let limit = ln_pmf(seen) + ROUNDING;
    let sum: f64 = counts.map(&ln_pmf).filter(|ln| *ln <= limit).map(f64::exp).sum();
    sum.clamp(0.0, 1.0)
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

    /// Figures of R 4: `fisher.test(...)$p.value`, `binom.test(k, n, p)$p.value`; and of publications.
    #[test]
    fn the_figures_of_the_textbooks() {
        for (a, b, p) in [
            // The lady tasting tea.
            ((3, 4), (1, 4), 0.48571),
            ((1, 10), (11, 14), 0.002_759_5),
            ((3, 8), (4, 54), 0.039_707),
            ((127, 165), (112, 155), 0.368_786),
            ((0, 10), (0, 12), 1.0),
        ] {
            assert!(near(fisher_p(a, b).unwrap(), p), "{a:?} {b:?}: {:?}", fisher_p(a, b));
        }
        assert!(near(binomial_p(7, 20, 0.5).unwrap(), 0.26318));
        assert_eq!((fisher_p((0, 0), (1, 2)), binomial_p(0, 0, 0.1)), (None, None));
    }

    #[test]
    fn far_out_and_from_either_side_it_is_the_same() {
        let p = fisher_p((0, 6_250), (168, 6_271)).unwrap();
        assert!(p > 0.0 && p < 1e-45, "{p}");
        assert!(near(fisher_p((6_250, 6_250), (6_103, 6_271)).unwrap() / p, 1.0));
        assert!(near(fisher_p((50, 5_000), (50, 5_000)).unwrap(), 1.0));
        assert!(fisher_p((40_000, 500_000), (40_100, 500_000)).unwrap() > 0.1);
    }

    #[test]
    fn alarms_are_as_rare_as_stated_and_differences_are_seen() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut draw = |total: u64, share: f64| (0..total).filter(|_| random.random::<f64>() < share).count() as u64;
        let (mut fisher_alarms, mut binomial_alarms) = (0, 0);
        for _ in 0..1_000 {
            let (a, b) = (draw(400, 0.1), draw(300, 0.1));
            fisher_alarms += u32::from(fisher_p((a, 400), (b, 300)).unwrap() < 0.05);
            binomial_alarms += u32::from(binomial_p(a, 400, 0.1).unwrap() < 0.05);
        }
        // At most 5 % each, and 1,000 draws of 5 % exceed 67 once in a hundred times.
        assert!(fisher_alarms <= 67 && binomial_alarms <= 67, "{fisher_alarms} {binomial_alarms}");
        let seen = (0..100).filter(|_| fisher_p((draw(400, 0.1), 400), (draw(400, 0.3), 400)).unwrap() < 0.01);
        assert!(seen.count() >= 99);
    }
}
