//! Shares of what is drawn in clusters, as the requests of one connection are.

use super::{Interval, ratio, wilson};

/// Share of those that count among all members; each cluster is `(members, members that count)`. Wilson's interval with the
/// effective number of draws, by the variance of a ratio of cluster totals (Cochran, Sampling Techniques, 6.3). `None`: no
/// members.
pub fn clustered_share(clusters: &[(u64, u64)], confidence: f64) -> Option<(f64, Interval)> {
    let (members, hits) = clusters.iter().fold((0, 0), |sum, cluster| (sum.0 + cluster.0, sum.1 + cluster.1));
    let share = ratio(hits, members)?;
    let (count, total) = (clusters.len() as f64, members as f64);
    let spread: f64 = clusters.iter().map(|(members, hits)| (*hits as f64 - share * *members as f64).powi(2)).sum();
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
        let clusters: Vec<(u64, u64)> = (0..10).map(|n| (100, if n % 2 == 0 { 100 } else { 0 })).collect();
        let (share, interval) = clustered_share(&clusters, 0.95).unwrap();
        let nine = wilson(4.5, 9.0, 0.95).unwrap();
        assert!((share - 0.5).abs() < 1e-12 && (interval.high - nine.high).abs() < 0.02, "{interval:?} {nine:?}");
        assert_eq!(clustered_share(&[], 0.95), None);
    }

    #[test]
    fn clusters_of_one_are_the_usual_interval() {
        let single: Vec<(u64, u64)> = (0..1_000).map(|n| (1, n % 2)).collect();
        let (_, clustered) = clustered_share(&single, 0.95).unwrap();
        let usual = wilson(500.0, 1_000.0, 0.95).unwrap();
        assert!((clustered.low - usual.low).abs() < 1e-3, "{clustered:?} {usual:?}");
    }
}
