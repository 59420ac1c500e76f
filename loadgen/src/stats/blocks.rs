//! Quantiles and means, compared without taking neighbouring requests as independent.
//!
//! A slow second slows many requests at once. So what is drawn again and again is not single requests but whole blocks
//! of time (Künsch 1989, with blocks that do not overlap): the spread of a figure over such draws is that of runs of
//! this kind, as long as what one request does to the next is over within a block.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Interval;

/// How often blocks are drawn, and what is too little to draw from.
#[derive(Clone, Copy, Debug)]
pub struct Resampling {
    /// Draws. A 99 % interval of 1,999 ends at the ten outermost of them on either side, a 95 % one of 999 at the 25 outermost.
    pub draws: usize,
    /// Below this many blocks their spread says little.
    pub least_blocks: usize,
    /// A quantile needs about this many values beyond it.
    pub least_beyond: f64,
    /// The same values give the same answer.
    pub seed: u64,
}

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

    fn enough_for(&self, q: f64, how: &Resampling) -> bool {
        self.blocks >= how.least_blocks && self.values.len() as f64 * q.min(1.0 - q) >= how.least_beyond
    }

    /// How often each block is drawn when as many are drawn, with replacement, as there are.
    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<u64> {
        let mut times = vec![0; self.blocks];
        for _ in 0..self.blocks {
            times[rng.random_range(0..self.blocks)] += 1;
        }
        times
    }

    /// The quantiles, which must ascend, of a draw.
    fn drawn_quantiles(&self, times: &[u64], quantiles: &[f64]) -> Vec<f64> {
        let total: u64 = self.values.iter().map(|(_, block)| times[*block as usize]).sum();
        let mut wanted = quantiles.iter().map(|q| (q * total as f64).ceil().max(1.0) as u64).peekable();
        let (mut found, mut sum) = (Vec::with_capacity(quantiles.len()), 0);
        for (value, block) in &self.values {
            sum += times[*block as usize];
            while wanted.next_if(|place| sum >= *place).is_some() {
                found.push(*value as f64);
            }
        }
        found
    }

    /// The mean of a draw.
    fn drawn_mean(&self, times: &[u64]) -> f64 {
        let (sum, count) = self.values.iter().fold((0.0, 0.0), |(sum, count), (value, block)| {
            let times = times[*block as usize] as f64;
            (sum + *value as f64 * times, count + times)
        });
        sum / count
    }
}

/// Each quantile (ascending) on both sides, with the interval of its difference. `None`: a side has no values.
pub fn quantile_changes(
    a: &Blocked,
    b: &Blocked,
    quantiles: &[f64],
    confidence: f64,
    how: &Resampling,
) -> Option<Vec<QuantileChange>> {
    let enough = |q: f64| a.enough_for(q, how) && b.enough_for(q, how);
    let mut draws = vec![Vec::new(); quantiles.len()];
    if quantiles.iter().any(|q| enough(*q)) {
        draws = differences(a, b, how, |side, times| side.drawn_quantiles(times, quantiles));
    }
    let all = quantiles.iter().zip(draws).map(|(q, draws)| {
        let difference = enough(*q).then(|| middle(draws, confidence)).flatten();
        Some(QuantileChange { a: a.quantile(*q)?, b: b.quantile(*q)?, difference })
    });
    all.collect()
}

/// The interval of the second mean minus the first. `None`: too little data.
pub fn mean_change(a: &Blocked, b: &Blocked, confidence: f64, how: &Resampling) -> Option<Interval> {
    if a.blocks.min(b.blocks) < how.least_blocks.max(1) {
        return None;
    }
    let draws = differences(a, b, how, |side, times| vec![side.drawn_mean(times)]);
    middle(draws.into_iter().next()?, confidence)
}

/// For each figure its differences, second minus first, in all draws.
fn differences(
    a: &Blocked,
    b: &Blocked,
    how: &Resampling,
    figures: impl Fn(&Blocked, &[u64]) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(how.seed);
    let mut all: Vec<Vec<f64>> = Vec::new();
    for _ in 0..how.draws {
        let of_a = figures(a, &a.draw(&mut rng));
        let of_b = figures(b, &b.draw(&mut rng));
        all.resize(of_a.len(), Vec::new());
        for ((differences, a), b) in all.iter_mut().zip(of_a).zip(of_b) {
            differences.push(b - a);
        }
    }
    all
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

    const HOW: Resampling = Resampling { draws: 199, least_blocks: 20, least_beyond: 10.0, seed: 1 };

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let all = Blocked::new((1..=100).map(|value| (value / 10, value)));
        assert_eq!((all.quantile(0.5), all.quantile(0.99), all.quantile(1.0)), (Some(50), Some(99), Some(100)));
        assert_eq!(Blocked::default().quantile(0.5), None);
        let few = quantile_changes(&all, &all, &[0.5], 0.99, &HOW).unwrap();
        assert_eq!(few[0].difference, None, "eleven blocks are too few");
        assert_eq!(mean_change(&all, &all, 0.99, &HOW), None);
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
            let (mut alarms, rounds) = ([0_u32; 3], 40);
            for _ in 0..rounds {
                let (a, b) = (run(&mut rng, level, 0.0), run(&mut rng, level, 0.0));
                let quantiles = quantile_changes(&a, &b, &[0.5, 0.99], 0.95, &HOW).unwrap();
                let mean = mean_change(&a, &b, 0.95, &HOW);
                let intervals = quantiles.iter().map(|change| change.difference).chain([mean]);
                for (alarms, interval) in alarms.iter_mut().zip(intervals) {
                    *alarms += u32::from(!interval.unwrap().contains(0.0));
                }
            }
            // 5 % of 40 is 2; 8 or more come by chance less than once in a thousand.
            assert!(alarms.iter().all(|alarms| *alarms < 8), "level {level}: {alarms:?} of {rounds}");
        }
    }

    /// A known difference, with as few blocks as a short phase has.
    #[test]
    fn an_interval_holds_the_truth_as_often_as_it_says() {
        let how = Resampling { least_blocks: 5, least_beyond: 0.0, ..HOW };
        let (mut held, runs) = (0, 200);
        for run in 0..runs {
            let mut random = ChaCha8Rng::seed_from_u64(run);
            let mut side = |mean: f64| {
                let values: Vec<(u64, u64)> =
                    (0..400).map(|n| (n / 20, (-mean * (1.0 - random.random::<f64>()).ln() * 1e6) as u64)).collect();
                Blocked::new(values)
            };
            let (a, b) = (side(1.0), side(2.0));
            let median = quantile_changes(&a, &b, &[0.5], 0.95, &how).unwrap()[0].difference.unwrap();
            held += u32::from(median.contains(2.0_f64.ln() * 1e6));
        }
        // 95 % ± 3 standard errors of 200 runs, and a little for the bootstrap itself with 20 blocks.
        assert!((178..=200).contains(&held), "{held} of {runs}");
    }

    #[test]
    fn a_shift_is_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let how = Resampling { draws: 1_999, ..HOW };
        let (a, b) = (run(&mut rng, 0.5, 0.0), run(&mut rng, 0.5, 0.5));
        let changes = quantile_changes(&a, &b, &[0.5, 0.99], 0.99, &how).unwrap();
        let median = changes[0].difference.unwrap();
        assert!(median.low > 0.0 && median.contains(500.0), "{median:?}");
        let mean = mean_change(&a, &b, 0.99, &how).unwrap();
        assert!(mean.low > 0.0 && mean.contains(500.0), "{mean:?}");
        assert_eq!(changes, quantile_changes(&a, &b, &[0.5, 0.99], 0.99, &how).unwrap(), "the same again");
    }
}
