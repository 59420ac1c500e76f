//! Quantiles of two runs, compared without taking neighbouring requests as independent.
//!
//! A slow second slows many requests at once. So what is drawn again and again is not single requests but whole blocks
//! of time (Künsch 1989, with blocks that do not overlap): the spread of the quantile over such draws is that of runs of
//! this kind, as long as what one request does to the next is over within a block.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Interval;

/// Draws. The 99 % interval then ends at the ten outermost of them on either side.
const DRAWS: usize = 1_999;
/// Below this many blocks their spread says little.
const LEAST_BLOCKS: usize = 20;
/// A quantile needs about this many values beyond it.
const LEAST_BEYOND: f64 = 10.0;

/// Values with the block of time each is from.
#[derive(Clone, Debug, Default)]
pub struct Blocked {
    /// In ascending order of value; blocks counted from 0.
    values: Vec<(u64, u32)>,
    blocks: usize,
}

/// One quantile on both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileChange {
    /// Of the first.
    pub a: u64,
    /// Of the second.
    pub b: u64,
    /// Of second minus first. `None`: too little data for one.
    pub difference: Option<Interval>,
}

impl Blocked {
    /// From `(block, value)`; block numbers may have gaps.
    pub fn new(values: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut values: Vec<(u64, u64)> = values.into_iter().collect();
        values.sort_unstable();
        let (mut blocks, mut last) = (0_u32, None);
        let mut numbered: Vec<(u64, u32)> = Vec::with_capacity(values.len());
        for (block, value) in values {
            if last != Some(block) {
                last = Some(block);
                blocks += 1;
            }
            numbered.push((value, blocks - 1));
        }
        numbered.sort_unstable();
        Self { values: numbered, blocks: blocks as usize }
    }

    /// Values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// No values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values in ascending order.
    pub fn sorted(&self) -> Vec<u64> {
        self.values.iter().map(|(value, _)| *value).collect()
    }

    /// The smallest value that at least this share of all does not exceed. `None`: no values.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let place = (q * self.values.len() as f64).ceil().max(1.0) as usize;
        self.values.get(place.min(self.values.len()).checked_sub(1)?).map(|(value, _)| *value)
    }

    fn enough_for(&self, q: f64) -> bool {
        self.blocks >= LEAST_BLOCKS && self.values.len() as f64 * q.min(1.0 - q) >= LEAST_BEYOND
    }

    /// The quantiles, which must ascend, of as many blocks drawn with replacement as there are.
    fn drawn(&self, rng: &mut ChaCha8Rng, weights: &mut Vec<u64>, quantiles: &[f64]) -> Vec<f64> {
        weights.clear();
        weights.resize(self.blocks, 0);
        for _ in 0..self.blocks {
            weights[rng.random_range(0..self.blocks)] += 1;
        }
        let total: u64 = self.values.iter().map(|(_, block)| weights[*block as usize]).sum();
        let mut wanted = quantiles.iter().map(|q| (q * total as f64).ceil().max(1.0) as u64).peekable();
        let (mut found, mut sum) = (Vec::with_capacity(quantiles.len()), 0);
        for (value, block) in &self.values {
            sum += weights[*block as usize];
            while wanted.next_if(|place| sum >= *place).is_some() {
                found.push(*value as f64);
            }
        }
        found
    }
}

/// Each quantile (ascending) on both sides, with the interval of its difference. `None`: a side has no values.
pub fn quantile_changes(a: &Blocked, b: &Blocked, quantiles: &[f64], confidence: f64) -> Option<Vec<QuantileChange>> {
    changes(a, b, quantiles, confidence, DRAWS)
}

fn changes(a: &Blocked, b: &Blocked, quantiles: &[f64], confidence: f64, number: usize) -> Option<Vec<QuantileChange>> {
    let mut draws: Vec<Vec<f64>> = vec![Vec::new(); quantiles.len()];
    if quantiles.iter().any(|q| a.enough_for(*q) && b.enough_for(*q)) {
        // A fixed seed: the same files give the same answer.
        let mut rng = ChaCha8Rng::seed_from_u64(0x9e37_79b9_7f4a_7c15);
        let mut weights = Vec::new();
        for _ in 0..number {
            let of_a = a.drawn(&mut rng, &mut weights, quantiles);
            let of_b = b.drawn(&mut rng, &mut weights, quantiles);
            for ((draws, a), b) in draws.iter_mut().zip(of_a).zip(of_b) {
                draws.push(b - a);
            }
        }
    }
    let all = quantiles.iter().zip(draws).map(|(q, draws)| {
        let enough = a.enough_for(*q) && b.enough_for(*q);
        let difference = enough.then(|| middle(draws, confidence)).flatten();
        Some(QuantileChange { a: a.quantile(*q)?, b: b.quantile(*q)?, difference })
    });
    all.collect()
}

/// The middle part of the draws.
fn middle(mut draws: Vec<f64>, confidence: f64) -> Option<Interval> {
    draws.sort_by(f64::total_cmp);
    let outside = ((draws.len() + 1) as f64 * (1.0 - confidence) / 2.0).round() as usize;
    let (low, high) = (outside.checked_sub(1)?, draws.len().checked_sub(outside)?);
    Some(Interval { low: *draws.get(low)?, high: *draws.get(high)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let all = Blocked::new((1..=100).map(|value| (value / 10, value)));
        assert_eq!((all.quantile(0.5), all.quantile(0.99), all.quantile(1.0)), (Some(50), Some(99), Some(100)));
        assert_eq!(Blocked::default().quantile(0.5), None);
        let few = quantile_changes(&all, &all, &[0.5], 0.99).unwrap();
        assert_eq!(few[0].difference, None, "eleven blocks are too few");
    }

    /// A run of 40 blocks: `level` says how much a whole block is slowed by chance.
    fn run(rng: &mut ChaCha8Rng, level: f64, shift: f64) -> Blocked {
        let mut values = Vec::new();
        for block in 0..40 {
            let slow = 1.0 + level * rng.random::<f64>();
            values
                .extend((0..50).map(|_| (block, ((-rng.random::<f64>().ln() * slow + 1.0 + shift) * 1_000.0) as u64)));
        }
        Blocked::new(values)
    }

    /// Equal runs, requests independent of each other and not: the interval holds zero about as often as it says.
    #[test]
    fn the_error_rate_holds() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for level in [0.0, 2.0] {
            let (mut alarms, rounds) = ([0_u32; 2], 40);
            for _ in 0..rounds {
                let (a, b) = (run(&mut rng, level, 0.0), run(&mut rng, level, 0.0));
                let changes = changes(&a, &b, &[0.5, 0.99], 0.95, 199).unwrap();
                for (alarms, change) in alarms.iter_mut().zip(changes) {
                    *alarms += u32::from(!change.difference.unwrap().contains(0.0));
                }
            }
            // 5 % of 40 is 2; 8 or more come by chance less than once in a thousand.
            assert!(alarms.iter().all(|alarms| *alarms < 8), "level {level}: {alarms:?} of {rounds}");
        }
    }

    #[test]
    fn a_shift_is_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (a, b) = (run(&mut rng, 0.5, 0.0), run(&mut rng, 0.5, 0.5));
        let changes = quantile_changes(&a, &b, &[0.5, 0.99], 0.99).unwrap();
        let median = changes[0].difference.unwrap();
        assert!(median.low > 0.0 && median.contains(500.0), "{median:?}");
        assert_eq!(changes, quantile_changes(&a, &b, &[0.5, 0.99], 0.99).unwrap(), "the same again");
    }
}
