//! Shares: k of n.

use statrs::distribution::{ContinuousCDF as _, Discrete as _, Hypergeometric, Normal};
use statrs::function::beta::beta_reg;

use super::Interval;

/// Exact interval of a share (Clopper and Pearson 1934). `None`: nothing was tried.
pub fn clopper_pearson(k: u64, n: u64, confidence: f64) -> Option<Interval> {
    if n == 0 || k > n {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let (hits, misses) = (k as f64, (n - k) as f64);
    let low = if k == 0 { 0.0 } else { beta_quantile(hits, misses + 1.0, tail) };
    let high = if k == n { 1.0 } else { beta_quantile(hits + 1.0, misses, 1.0 - tail) };
    Some(Interval { low, high })
}

/// By halving: sixty steps are beyond the precision of the function itself.
fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if beta_reg(a, b, middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// Score interval of a share (Wilson 1927).
pub fn wilson(k: u64, n: u64, confidence: f64) -> Option<Interval> {
    if n == 0 || k > n {
        return None;
    }
    let z = Normal::standard().inverse_cdf(1.0 - (1.0 - confidence) / 2.0);
    let (n, p) = (n as f64, k as f64 / n as f64);
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let all = 1.0 + z * z / n;
    Some(Interval { low: ((middle - reach) / all).max(0.0), high: ((middle + reach) / all).min(1.0) })
}

/// Interval of the difference of two shares, second minus first (Newcombe 1998, method 10: Wilson's limits of each).
pub fn newcombe(a: (u64, u64), b: (u64, u64), confidence: f64) -> Option<Interval> {
    let (wa, wb) = (wilson(a.0, a.1, confidence)?, wilson(b.0, b.1, confidence)?);
    let (pa, pb) = (a.0 as f64 / a.1 as f64, b.0 as f64 / b.1 as f64);
    Some(Interval {
        low: pb - pa - (pb - wb.low).hypot(wa.high - pa),
        high: pb - pa + (wb.high - pb).hypot(pa - wa.low),
    })
}

/// Fisher's exact test, two-sided: the chance of a table at least as unlikely as this one when both sides have one share.
pub fn fisher_p(a: (u64, u64), b: (u64, u64)) -> Option<f64> {
    let all = a.1 + b.1;
    if a.1 == 0 || b.1 == 0 || a.0 > a.1 || b.0 > b.1 {
        return None;
    }
    // The rarer outcome has the shorter list of tables.
    let hits = a.0 + b.0;
    let (seen, marked) = if hits * 2 <= all { (a.0, hits) } else { (a.1 - a.0, all - hits) };
    let tables = Hypergeometric::new(all, marked, a.1).ok()?;
    let this = tables.ln_pmf(seen);
    // Equally likely tables differ by rounding only.
    let slack = 1e-7;
    let least = (marked + a.1).saturating_sub(all);
    let sum: f64 =
        (least..=marked.min(a.1)).map(|k| tables.ln_pmf(k)).filter(|ln| *ln <= this + slack).map(f64::exp).sum();
    Some(sum.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-4
    }

    #[test]
    fn textbook_values() {
        let exact = clopper_pearson(4, 20, 0.95).unwrap();
        assert!(near(exact.low, 0.0573) && near(exact.high, 0.4366), "{exact:?}");
        let none = clopper_pearson(0, 100, 0.95).unwrap();
        assert!(near(none.high, 1.0 - 0.025_f64.powf(0.01)), "{none:?}");
        let score = wilson(15, 148, 0.95).unwrap();
        assert!(near(score.low, 0.0624) && near(score.high, 0.1605), "{score:?}");
        // Newcombe 1998, table II: 56/70 and 48/80.
        let difference = newcombe((48, 80), (56, 70), 0.95).unwrap();
        assert!(near(difference.low, 0.0524) && near(difference.high, 0.3339), "{difference:?}");
    }

    #[test]
    fn fishers_test_agrees_with_published_values() {
        for (a, b, p) in [((3, 8), (4, 54), 0.039_707), ((127, 165), (112, 155), 0.368_786), ((0, 10), (0, 12), 1.0)] {
            assert!(near(fisher_p(a, b).unwrap(), p), "{a:?} {b:?}: {:?}", fisher_p(a, b));
        }
        // Far out, and from either side the same.
        let p = fisher_p((0, 6_250), (168, 6_271)).unwrap();
        assert!(p > 0.0 && p < 1e-45, "{p}");
        assert!(near(fisher_p((6_250, 6_250), (6_103, 6_271)).unwrap() / p, 1.0));
    }

    /// Equal shares on both sides: the test raises no more alarms than it says, and the interval holds zero as often.
    #[test]
    fn the_error_rates_hold() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut alarms, mut missed, mut exact_missed, rounds) = (0, 0, 0, 2_000);
        for round in 0..rounds {
            let share = [0.002, 0.02, 0.2][round % 3];
            let mut draw = |n: u64| ((0..n).filter(|_| rng.random_bool(share)).count() as u64, n);
            let (a, b) = (draw(900), draw(1_100));
            alarms += u32::from(fisher_p(a, b).unwrap() < 0.05);
            missed += u32::from(!newcombe(a, b, 0.95).unwrap().contains(0.0));
            exact_missed += u32::from(!clopper_pearson(a.0, a.1, 0.95).unwrap().contains(share));
        }
        let rate = |n: u32| f64::from(n) / rounds as f64;
        assert!(rate(alarms) <= 0.05, "{}", rate(alarms));
        assert!(rate(exact_missed) <= 0.055, "{}", rate(exact_missed));
        assert!(rate(missed) <= 0.06, "{}", rate(missed));
    }
}
