//! Shares of what is drawn in clusters, as the requests of one connection are.

use super::{Interval, ratio, wilson};

/// Clusters that are alike.
#[derive(Clone, Copy, Debug)]
pub struct Clusters {
    /// Members of each.
    pub members: u64,
    /// Members of each that count.
    pub hits: u64,
    /// How many clusters.
    pub count: u64,
}

/// Share of those that count among all members. Wilson's interval with the effective number of draws, by the variance of a ratio of
/// cluster totals (Cochran, Sampling Techniques, 6.3). `None`: no members.
pub fn clustered_share(clusters: &[Clusters], confidence: f64) -> Option<(f64, Interval)> {
    let sum = |each: fn(&Clusters) -> u64| clusters.iter().map(|alike| each(alike) * alike.count).sum::<u64>();
    let (members, hits) = (sum(|alike| alike.members), sum(|alike| alike.hits));
    let share = ratio(hits, members)?;
    let (count, total) = (sum(|_| 1) as f64, members as f64);
    let off = |alike: &Clusters| (alike.hits as f64 - share * alike.members as f64).powi(2) * alike.count as f64;
    let spread: f64 = clusters.iter().map(off).sum();
    let variance = count / (count - 1.0).max(1.0) * spread / (total * total);
    // Where every cluster says the same there is no variance, and the clusters are all that was drawn.
    let effective = if variance > 0.0 { (share * (1.0 - share) / variance).min(total) } else { count };
    Some((share, wilson(share * effective, effective, confidence)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_share_of_few_clusters_is_as_uncertain_as_they_are_few() {
        // 1,000 requests on 10 connections, half of which lead to one pod.
        let clusters = [0, 100].map(|hits| Clusters { members: 100, hits, count: 5 });
        let (share, interval) = clustered_share(&clusters, 0.95).unwrap();
        let nine = wilson(4.5, 9.0, 0.95).unwrap();
        assert!((share - 0.5).abs() < 1e-12 && (interval.high - nine.high).abs() < 0.02, "{interval:?} {nine:?}");
        assert_eq!(clustered_share(&[], 0.95), None);
    }

    #[test]
    fn clusters_of_one_are_the_usual_interval() {
        let one_by_one: Vec<Clusters> = (0..1_000).map(|n| Clusters { members: 1, hits: n % 2, count: 1 }).collect();
        let together = [0, 1].map(|hits| Clusters { members: 1, hits, count: 500 });
        let (_, clustered) = clustered_share(&together, 0.95).unwrap();
        let (_, one_by_one) = clustered_share(&one_by_one, 0.95).unwrap();
        assert!((clustered.low - one_by_one.low).abs() < 1e-9, "{clustered:?} {one_by_one:?}");
        let usual = wilson(500.0, 1_000.0, 0.95).unwrap();
        assert!((clustered.low - usual.low).abs() < 1e-3, "{clustered:?} {usual:?}");
    }
}
