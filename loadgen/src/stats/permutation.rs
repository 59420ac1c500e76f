//! Whether two groups of runs differ, with the run as the unit.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// Up to this many ways of dealing the runs to two groups, all are tried.
const ALL_WAYS: u64 = 200_000;
/// Beyond, this many are drawn.
const DRAWS: u64 = 19_999;

/// Fisher and Pitman's permutation test of the difference of means, two-sided. `None`: fewer than two runs on a side.
pub fn permutation_p(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let total: f64 = all.iter().sum();
    // The mean of one group says all: the other's follows from it.
    let middle = total / all.len() as f64 * a.len() as f64;
    let reach = |sum: f64| (sum - middle).abs();
    let seen = reach(a.iter().sum());
    // Sums of the same values in another order differ by rounding.
    let least = seen - 1e-9 * (1.0 + seen);
    if ways(all.len() as u64, a.len() as u64).is_some_and(|ways| ways <= ALL_WAYS) {
        let (mut as_far, mut tried) = (0_u64, 0_u64);
        each_sum(&all, a.len(), 0.0, &mut |sum| {
            tried += 1;
            as_far += u64::from(reach(sum) >= least);
        });
        return Some(as_far as f64 / tried as f64);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut dealt = all;
    let as_far = (0..DRAWS).filter(|_| {
        dealt.shuffle(&mut rng);
        reach(dealt[..a.len()].iter().sum()) >= least
    });
    Some((as_far.count() as f64 + 1.0) / (DRAWS as f64 + 1.0))
}

/// n over k. `None`: more than fits.
fn ways(n: u64, k: u64) -> Option<u64> {
    (1..=k.min(n - k)).try_fold(1_u64, |ways, i| Some(ways.checked_mul(n - i + 1)? / i))
}

/// Calls `f` with the sum of each choice of `left` of the values.
fn each_sum(values: &[f64], left: usize, sum: f64, f: &mut impl FnMut(f64)) {
    if left == 0 {
        return f(sum);
    }
    for (at, value) in values.iter().enumerate().take(values.len() + 1 - left) {
        each_sum(&values[at + 1..], left - 1, sum + value, f);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::Rng as _;

    use super::*;

    #[test]
    fn small_groups_are_counted_out() {
        assert_eq!(permutation_p(&[1.0], &[2.0, 3.0]), None);
        // Of 252 ways, this one and its mirror are the farthest.
        let p = permutation_p(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]).unwrap();
        assert!((p - 2.0 / 252.0).abs() < 1e-12, "{p}");
        assert!((permutation_p(&[0.0; 3], &[0.0; 3]).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_error_rate_holds() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let (mut alarms, rounds) = (0, 1_000);
        for _ in 0..rounds {
            let mut draw = || (0..5).map(|_| -rng.random::<f64>().ln()).collect::<Vec<_>>();
            alarms += u32::from(permutation_p(&draw(), &draw()).unwrap() < 0.05);
        }
        // 5 % of 1,000 with a standard deviation of 7.
        assert!((25..=72).contains(&alarms), "{alarms}");
    }
}
