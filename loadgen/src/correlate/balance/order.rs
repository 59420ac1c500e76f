//! The order test: how often do two consecutive choices of one chooser lead to the same pod?
//!
//! Round-robin: never. Sticky: nearly always. Independent choices: as often as the shares make it, whatever these are. So
//! the test holds for weighted choices as well as for even ones.

use statrs::distribution::{Binomial, DiscreteCDF as _};

use super::choices::count;

/// Result of the order test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderTest {
    /// Choosers with two choices at least.
    pub choosers: usize,
    /// Pairs of consecutive choices of one chooser.
    pub pairs: u64,
    /// Of these, pairs of the same pod.
    pub repeats: u64,
    /// Repeats that independent choices with these shares make on average.
    pub expected: f64,
    /// Standard score.
    pub z: f64,
    /// Both tails.
    pub p: f64,
}

impl OrderTest {
    /// Share of pairs of the same pod.
    pub fn repeat_ratio(&self) -> f64 {
        self.repeats as f64 / self.pairs as f64
    }

    /// The same for independent choices.
    pub fn expected_ratio(&self) -> f64 {
        self.expected / self.pairs as f64
    }

    /// −1: never the same pod twice. 0: as chance has it. 1: always the same.
    pub fn effect(&self) -> f64 {
        let (seen, chance) = (self.repeat_ratio(), self.expected_ratio());
        if seen < chance { (seen - chance) / chance } else { (seen - chance) / (1.0 - chance) }
    }
}

/// Tests the order within each chooser's sequence. `None`: no pairs, or one pod has them all.
///
/// For even, independent choices the number of repeats is binomial, exactly. For uneven ones it varies less than that, so
/// that false alarms are rarer than stated.
pub fn order_test(pods: usize, sequences: &[Vec<usize>]) -> Option<OrderTest> {
    let all = count(pods, sequences.iter().flatten().copied());
    let total = all.iter().sum::<u64>() as f64;
    let squares: f64 = all.iter().map(|count| (*count as f64).powi(2)).sum();
    let pairs = |sequence: &Vec<usize>| sequence.len().saturating_sub(1) as u64;
    let repeats = |sequence: &Vec<usize>| sequence.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    let choosers = sequences.iter().filter(|sequence| sequence.len() > 1).count();
    let (pairs, repeats) = (sequences.iter().map(pairs).sum::<u64>(), sequences.iter().map(repeats).sum::<u64>());
    if total < 2.0 || pairs == 0 {
        return None;
    }
    // Two of all choices, drawn without putting back, are equal with this probability.
    let same = (squares - total) / (total * (total - 1.0));
    if same <= 0.0 || same >= 1.0 {
        return None;
    }
    let expected = pairs as f64 * same;
    let chance = Binomial::new(same, pairs).ok()?;
    let at_least = repeats.checked_sub(1).map_or(1.0, |fewer| chance.sf(fewer));
    Some(OrderTest {
        choosers,
        pairs,
        repeats,
        expected,
        z: (repeats as f64 - expected) / (expected * (1.0 - same)).sqrt(),
        p: (2.0 * chance.cdf(repeats).min(at_least)).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn turns_never_repeat_and_a_sticky_chooser_nearly_always_does() {
        let turns: Vec<usize> = (0..90).map(|n| n % 3).collect();
        let test = order_test(3, &[turns]).unwrap();
        assert!(test.repeats == 0 && test.p < 1e-6 && (test.effect() + 1.0).abs() < 1e-9, "{test:?}");
        let clients = [vec![0; 50], vec![1; 50], vec![2; 50]];
        let test = order_test(3, &clients).unwrap();
        assert!(test.p < 1e-12 && (test.effect() - 1.0).abs() < 1e-9, "{test:?}");
        assert!(order_test(3, &[vec![1; 100]]).is_none(), "one pod alone has no order");
    }

    #[test]
    fn the_p_value_is_the_binomial_one() {
        // Three of each, never the same twice: no repeat in 8 pairs, each a repeat with 18 / 72.
        let test = order_test(3, &[vec![0, 1, 2, 0, 1, 2, 0, 1, 2]]).unwrap();
        assert!((test.p - 2.0 * 0.75_f64.powi(8)).abs() < 1e-9, "{test:?}");
    }

    #[test]
    fn weights_alone_are_no_order() {
        let alarms = (0..500).filter(|seed| {
            let mut random = ChaCha8Rng::seed_from_u64(*seed);
            let weighted: Vec<usize> = (0..300).map(|_| usize::from(random.random_bool(0.1))).collect();
            order_test(2, &[weighted]).unwrap().p < 0.05
        });
        assert!(alarms.count() <= 40);
    }
}
