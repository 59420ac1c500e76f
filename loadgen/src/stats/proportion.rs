//! Shares: k of n, and what can be said of the true one. Of nothing, and of more hits than tries, nothing is said: `None`.

use statrs::function::beta::beta_reg;

use super::{Interval, normal_quantile};

/// `k / n`.
pub fn ratio(k: u64, n: u64) -> Option<f64> {
    (n > 0 && k <= n).then(|| k as f64 / n as f64)
}

/// Exact interval (Clopper and Pearson 1934): it holds the true share in at least so many runs, whatever that share is.
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

/// None of `n` was hit: the true share is below this, one-sided; at 95 % about `3 / n`.
pub fn below_if_none(n: u64, confidence: f64) -> Option<f64> {
    (n > 0).then(|| 1.0 - (1.0 - confidence).powf(1.0 / n as f64))
}

/// Smallest `n` of which none being hit puts the true share below `ratio`.
pub fn least_total_to_exclude(ratio: f64, confidence: f64) -> u64 {
    ((1.0 - confidence).ln() / (1.0 - ratio).ln()).ceil() as u64
}

/// Score interval (Wilson 1927), which holds for small numbers and for shares near 0 and 1 as well. Numbers may be effective
/// ones, hence not whole.
pub fn wilson(k: f64, n: f64, confidence: f64) -> Option<Interval> {
    if n <= 0.0 || k > n {
        return None;
    }
    let z = normal_quantile(1.0 - (1.0 - confidence) / 2.0);
    let p = k / n;
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let all = 1.0 + z * z / n;
    Some(Interval { low: ((middle - reach) / all).max(0.0), high: ((middle + reach) / all).min(1.0) })
}

/// Interval of the difference of two shares, second minus first (Newcombe 1998, method 10: Wilson's limits of each).
pub fn newcombe(a: (u64, u64), b: (u64, u64), confidence: f64) -> Option<Interval> {
    let of = |(k, n): (u64, u64)| wilson(k as f64, n as f64, confidence);
    let (wa, wb) = (of(a)?, of(b)?);
    let (pa, pb) = (a.0 as f64 / a.1 as f64, b.0 as f64 / b.1 as f64);
    Some(Interval {
        low: pb - pa - (pb - wb.low).hypot(wa.high - pa),
        high: pb - pa + (wb.high - pb).hypot(pa - wa.low),
    })
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
        // R 4: binom.test(k, n)$conf.int.
        for (k, n, low, high) in [(10, 100, 0.04900, 0.17622), (0, 20, 0.0, 0.16843), (20, 20, 0.83157, 1.0)] {
            let exact = clopper_pearson(k, n, 0.95).unwrap();
            assert!(near(exact.low, low) && near(exact.high, high), "{exact:?}");
        }
        // Newcombe 1998, table I; Agresti and Coull 1998.
        for (k, n, low, high) in [(15.0, 148.0, 0.0624, 0.1605), (0.0, 10.0, 0.0, 0.2775), (8.0, 10.0, 0.4902, 0.9433)]
        {
            let score = wilson(k, n, 0.95).unwrap();
            assert!(near(score.low, low) && near(score.high, high), "{score:?}");
        }
        // Newcombe 1998, table II: 56/70 and 48/80.
        let difference = newcombe((48, 80), (56, 70), 0.95).unwrap();
        assert!(near(difference.low, 0.0524) && near(difference.high, 0.3339), "{difference:?}");
        assert!(near(below_if_none(300, 0.95).unwrap(), 0.00994));
        assert_eq!(least_total_to_exclude(0.01, 0.95), 299);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!((ratio(0, 0), ratio(2, 1)), (None, None));
        assert_eq!((clopper_pearson(0, 0, 0.95), clopper_pearson(2, 1, 0.95)), (None, None));
        assert_eq!((wilson(0.0, 0.0, 0.95), below_if_none(0, 0.95)), (None, None));
        assert_eq!(newcombe((0, 0), (1, 2), 0.95), None);
    }

    /// Equal shares on both sides: each interval holds what it should as often as it says.
    #[test]
    fn the_error_rates_hold() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut missed, mut exact_missed, rounds) = (0, 0, 2_000);
        for round in 0..rounds {
            let share = [0.002, 0.02, 0.2][round % 3];
            let mut draw = |n: u64| ((0..n).filter(|_| rng.random_bool(share)).count() as u64, n);
            let (a, b) = (draw(900), draw(1_100));
            missed += u32::from(!newcombe(a, b, 0.95).unwrap().contains(0.0));
            exact_missed += u32::from(!clopper_pearson(a.0, a.1, 0.95).unwrap().contains(share));
        }
        let rate = |n: u32| f64::from(n) / rounds as f64;
        assert!(rate(exact_missed) <= 0.055, "{}", rate(exact_missed));
        assert!(rate(missed) <= 0.06, "{}", rate(missed));
    }
}
