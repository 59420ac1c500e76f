//! The few statistics that several sections need. All are functions of values; randomness comes from a named seed.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF as _, Normal};

/// An estimate and the interval that holds the true value in 95 of 100 runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Two-sided 95 % of the normal distribution.
const Z_95: f64 = 1.959_964;

/// Probability that a standard normal value lies further from 0 than `z`, on both sides.
pub fn two_sided(z: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(1.0, |normal| (2.0 * normal.sf(z.abs())).clamp(0.0, 1.0))
}

/// The point that a standard normal value stays below with probability `p`.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(0.0, |normal| normal.inverse_cdf(p))
}

/// Share of `of` in `total` independent draws, with Wilson's score interval (Wilson 1927), which holds for small numbers
/// and for shares near 0 and 1. Numbers may be effective ones, hence not whole. `None`: nothing was drawn.
pub fn wilson(of: f64, total: f64) -> Option<Estimate> {
    if total <= 0.0 {
        return None;
    }
    let (share, z2) = (of / total, Z_95 * Z_95);
    let scale = 1.0 + z2 / total;
    let middle = (share + z2 / (2.0 * total)) / scale;
    let half = Z_95 * (share * (1.0 - share) / total + z2 / (4.0 * total * total)).sqrt() / scale;
    Some(Estimate { value: share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

/// Share of `yes` among all members of clusters that are drawn as a whole, as requests of one connection are: each cluster
/// is `(members, members that count)`. Wilson's interval with the effective number of draws, by the variance of a
/// ratio of cluster totals (Cochran, Sampling Techniques, 6.3).
pub fn clustered_share(clusters: &[(u64, u64)]) -> Option<Estimate> {
    let members: u64 = clusters.iter().map(|(members, _)| members).sum();
    let yes: u64 = clusters.iter().map(|(_, yes)| yes).sum();
    let (count, total) = (clusters.len() as f64, members as f64);
    if members == 0 {
        return None;
    }
    let share = yes as f64 / total;
    let spread: f64 = clusters.iter().map(|(members, yes)| (*yes as f64 - share * *members as f64).powi(2)).sum();
    let variance = count / (count - 1.0).max(1.0) * spread / (total * total);
    // Where every cluster says the same there is no variance, and the clusters are all that was drawn.
    let effective = if variance > 0.0 { (share * (1.0 - share) / variance).min(total) } else { count };
    wilson(share * effective, effective)
}

/// Values that were measured one after the other, with the block of time that each belongs to. What is close in time is
/// not independent (a queue remembers), so whole blocks are drawn again, not single values (Künsch 1989).
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    /// `(value, block)` in order of value.
    sorted: Vec<(f64, u32)>,
    blocks: u32,
}

impl Blocks {
    /// `(at, value)` pairs, cut into blocks of `block_ns` from the first on.
    pub fn new(values: &[(u64, f64)], block_ns: u64) -> Self {
        let first_ns = values.iter().map(|(at_ns, _)| *at_ns).min().unwrap_or(0);
        let block_of = |at_ns: u64| ((at_ns - first_ns) / block_ns.max(1)) as u32;
        let mut sorted: Vec<(f64, u32)> = values.iter().map(|(at_ns, value)| (*value, block_of(*at_ns))).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let blocks = sorted.iter().map(|(_, block)| block + 1).max().unwrap_or(0);
        Self { sorted, blocks }
    }

    /// The quantile of the values themselves.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let at = ((quantile * self.sorted.len() as f64).ceil() as usize).clamp(1, self.sorted.len().max(1)) - 1;
        self.sorted.get(at).map(|(value, _)| *value)
    }

    /// The mean of the values themselves.
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.sorted.iter().map(|(value, _)| value).sum();
        (!self.sorted.is_empty()).then(|| sum / self.sorted.len() as f64)
    }

    /// How often each block is drawn in one resample.
    fn draw(&self, random: &mut ChaCha8Rng) -> Vec<u32> {
        let mut times = vec![0; self.blocks as usize];
        for _ in 0..self.blocks {
            times[random.random_range(0..self.blocks) as usize] += 1;
        }
        times
    }

    fn drawn_quantile(&self, times: &[u32], quantile: f64) -> Option<f64> {
        let total: u64 = self.sorted.iter().map(|(_, block)| u64::from(times[*block as usize])).sum();
        let wanted = (quantile * total as f64).ceil().max(1.0) as u64;
        let mut so_far = 0;
        self.sorted.iter().find_map(|(value, block)| {
            so_far += u64::from(times[*block as usize]);
            (so_far >= wanted).then_some(*value)
        })
    }

    fn drawn_mean(&self, times: &[u32]) -> Option<f64> {
        let (sum, count) = self.sorted.iter().fold((0.0, 0.0), |(sum, count), (value, block)| {
            let times = f64::from(times[*block as usize]);
            (sum + value * times, count + times)
        });
        (count > 0.0).then(|| sum / count)
    }
}

/// Resamples of a bootstrap: the ends of a 95 % interval are then its 25th and 975th value.
const RESAMPLES: usize = 1_000;
/// Fewer blocks than this say nothing about how blocks differ.
const LEAST_BLOCKS: u32 = 5;

/// What is compared between two groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A quantile from 0 to 1.
    Quantile(f64),
    /// The mean.
    Mean,
}

/// `b`'s figure minus `a`'s, with the percentile interval of a block bootstrap. `None`: too little of one of them.
pub fn difference(a: &Blocks, b: &Blocks, figure: Figure, seed: u64) -> Option<Estimate> {
    if a.blocks < LEAST_BLOCKS || b.blocks < LEAST_BLOCKS {
        return None;
    }
    let of = |blocks: &Blocks| match figure {
        Figure::Quantile(quantile) => blocks.quantile(quantile),
        Figure::Mean => blocks.mean(),
    };
    let drawn = |blocks: &Blocks, random: &mut ChaCha8Rng| {
        let times = blocks.draw(random);
        match figure {
            Figure::Quantile(quantile) => blocks.drawn_quantile(&times, quantile),
            Figure::Mean => blocks.drawn_mean(&times),
        }
    };
    let value = of(b)? - of(a)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| Some(-drawn(a, &mut random)? + drawn(b, &mut random)?)).collect();
    drawn.sort_by(f64::total_cmp);
    let (low, high) = (*drawn.get(drawn.len() / 40)?, *drawn.get(drawn.len() - 1 - drawn.len() / 40)?);
    Some(Estimate { value, low, high })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn wilson_is_the_textbook_interval() {
        // Agresti & Coull 1998: 0 of 10 → 0 to 0.278; 8 of 10 → 0.490 to 0.943.
        let none = wilson(0.0, 10.0).unwrap();
        assert!(none.low.abs() < 1e-9 && (none.high - 0.2775).abs() < 1e-3, "{none:?}");
        let most = wilson(8.0, 10.0).unwrap();
        assert!((most.low - 0.4902).abs() < 1e-3 && (most.high - 0.9433).abs() < 1e-3, "{most:?}");
        assert!(wilson(0.0, 0.0).is_none());
    }

    #[test]
    fn a_share_of_few_connections_is_as_uncertain_as_they_are_few() {
        // 1,000 requests on 10 connections, half of which lead to one pod.
        let clusters: Vec<(u64, u64)> = (0..10).map(|n| (100, if n % 2 == 0 { 100 } else { 0 })).collect();
        let share = clustered_share(&clusters).unwrap();
        let ten = wilson(4.5, 9.0).unwrap();
        assert!((share.high - ten.high).abs() < 0.02, "{share:?} {ten:?}");
        // One request each: the usual interval.
        let single: Vec<(u64, u64)> = (0..1_000).map(|n| (1, n % 2)).collect();
        let (clustered, usual) = (clustered_share(&single).unwrap(), wilson(500.0, 1_000.0).unwrap());
        assert!((clustered.low - usual.low).abs() < 1e-3);
    }

    #[test]
    fn an_interval_holds_the_truth_as_often_as_it_says() {
        let (mut held, runs) = (0, 200);
        for run in 0..runs {
            let mut random = ChaCha8Rng::seed_from_u64(run);
            let mut exponential = |mean: f64| -mean * (1.0 - random.random::<f64>()).ln();
            let a: Vec<(u64, f64)> = (0..400).map(|n| (n, exponential(1.0))).collect();
            let b: Vec<(u64, f64)> = (0..400).map(|n| (n, exponential(2.0))).collect();
            let (a, b) = (Blocks::new(&a, 20), Blocks::new(&b, 20));
            let median = difference(&a, &b, Figure::Quantile(0.5), run).unwrap();
            held += u32::from((median.low..=median.high).contains(&2.0_f64.ln()));
        }
        // 95 % ± 3 standard errors of 200 runs, and a little for the bootstrap itself with 20 blocks.
        assert!((178..=200).contains(&held), "{held} of {runs}");
    }

    #[test]
    fn too_few_blocks_say_nothing() {
        let few = Blocks::new(&[(0, 1.0), (1, 2.0), (2, 3.0)], 1);
        assert!(difference(&few, &few, Figure::Mean, 1).is_none());
        assert_eq!(few.quantile(0.5), Some(2.0));
        assert!(Blocks::default().quantile(0.5).is_none());
    }
}
