//! Which of two samples is larger, by ranks.

use super::two_sided_p;

/// Mann and Whitney's test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// Two-sided, by the normal approximation with ties and continuity corrected. Values are taken as independent.
    pub p: f64,
    /// Effect size: the chance that a value of the second sample is larger than one of the first, ties counted half
    /// (Vargha and Delaney's A). 0.5: neither.
    pub second_larger_ratio: f64,
}

/// The normal approximation wants about this many values on either side.
const LEAST: usize = 20;

/// Compares two samples, each in ascending order. `None`: too few values.
pub fn mann_whitney(first: &[u64], second: &[u64]) -> Option<RankTest> {
    if first.len() < LEAST || second.len() < LEAST {
        return None;
    }
    let (n, m) = (first.len() as f64, second.len() as f64);
    let (mut at, mut to) = (0, 0);
    // Pairs in which the second is larger, ties half; and the sum of t³ − t over groups of equal values.
    let (mut larger, mut ties) = (0.0, 0.0);
    while at < first.len() || to < second.len() {
        let value = match (first.get(at), second.get(to)) {
            (Some(a), Some(b)) => *a.min(b),
            (Some(a), None) => *a,
            (None, b) => *b?,
        };
        let equal = |sample: &[u64], from: usize| sample[from..].iter().take_while(|other| **other == value).count();
        let (of_first, of_second) = (equal(first, at), equal(second, to));
        // Those of the first that are smaller, and half of those that are equal.
        larger += of_second as f64 * (at as f64 + of_first as f64 / 2.0);
        let group = (of_first + of_second) as f64;
        ties += group.powi(3) - group;
        at += of_first;
        to += of_second;
    }
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    let off = ((larger - n * m / 2.0).abs() - 0.5).max(0.0);
    let p = if variance > 0.0 { two_sided_p(off / variance.sqrt()) } else { 1.0 };
    Some(RankTest { p, second_larger_ratio: larger / (n * m) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_shift_is_found_and_its_size_told() {
        let first: Vec<u64> = (0..100).collect();
        let second: Vec<u64> = (50..150).collect();
        let test = mann_whitney(&first, &second).unwrap();
        // Of 10,000 pairs the second is smaller in 50·49/2 = 1,225 and equal in 50.
        assert!((test.second_larger_ratio - 0.875).abs() < 1e-12, "{test:?}");
        assert!(test.p < 1e-15);
        let same = mann_whitney(&first, &first).unwrap();
        assert!((same.second_larger_ratio - 0.5).abs() < 1e-12 && same.p > 0.99, "{same:?}");
        assert!(mann_whitney(&first, &second[..5]).is_none());
        let flat = mann_whitney(&[7; 30], &[7; 40]).unwrap();
        assert!((flat.p - 1.0).abs() < 1e-12, "{flat:?}");
    }

    #[test]
    fn the_error_rate_holds_with_ties_as_well() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut alarms, rounds) = (0, 3_000);
        for _ in 0..rounds {
            let mut draw = |n: usize| {
                let mut values: Vec<u64> = (0..n).map(|_| (rng.random::<f64>().ln() * -5.0) as u64).collect();
                values.sort_unstable();
                values
            };
            alarms += u32::from(mann_whitney(&draw(60), &draw(90)).unwrap().p < 0.05);
        }
        let rate = f64::from(alarms) / f64::from(rounds);
        assert!((0.035..=0.06).contains(&rate), "{rate}");
    }
}
