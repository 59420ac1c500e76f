//! How connections and requests spread over the pods that were there the whole time.

use std::collections::{BTreeMap, HashSet};

use observer::record::NatSource;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::cluster::{PodAt, Role};
use super::context::Context;
use crate::report::schema::Balance;

/// Too little below this: the chi-square distribution is only an approximation.
const LEAST_EXPECTED: f64 = 5.0;
/// Below this, chance is ruled out: one false alarm in a thousand runs.
const SIGNIFICANT: f64 = 0.001;

/// The spread. `None`: fewer than two pods to compare, or too few connections.
pub fn balance(ctx: &Context<'_, '_>) -> Option<Balance> {
    let (from_ns, until_ns) = (ctx.raw.run.started_ns, ctx.raw.run.ended_ns);
    let steady = ctx
        .cluster
        .pods
        .iter()
        .enumerate()
        .filter(|(_, life)| life.role == Some(Role::Upstream) && life.ready_throughout(from_ns, until_ns));
    let mut connections: BTreeMap<PodAt, u64> = steady.map(|(at, _)| (at as PodAt, 0)).collect();
    let mut requests = 0;
    let mut counted = HashSet::new();
    for attempt in &ctx.join.attempts {
        let Some(count) = attempt.pod.and_then(|pod| connections.get_mut(&pod)) else { continue };
        requests += 1;
        let Some(conn) = ctx.conn(attempt) else { continue };
        // A choice is made once for each new connection, and not at all where an old entry applies.
        let chosen = conn.raw.nat.as_ref().is_some_and(|nat| nat.source != NatSource::Reused);
        *count += u64::from(chosen && counted.insert(attempt.conn));
    }
    let counts: Vec<u64> = connections.values().copied().collect();
    let total: u64 = counts.iter().sum();
    let expected = total as f64 / counts.len() as f64;
    if counts.len() < 2 || expected < LEAST_EXPECTED {
        return None;
    }
    let statistic: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    let chi_square = ChiSquared::new((counts.len() - 1) as f64).ok()?;
    // Counts are whole numbers: "this even or more" reaches half a connection further than the counts themselves.
    let reach: f64 = counts.iter().map(|count| ((*count as f64 - expected).abs() + 0.5).powi(2) / expected).sum();
    let (this_even, this_uneven) = (chi_square.cdf(reach), 1.0 - chi_square.cdf(statistic));
    let p = (2.0 * this_even.min(this_uneven)).clamp(0.0, 1.0);
    let (pattern, why) = if p >= SIGNIFICANT {
        ("random", "as even as chance makes them")
    } else if this_even < this_uneven {
        ("round_robin", "more even than chance makes them")
    } else {
        ("weighted", "less even than chance makes them")
    };
    let shares: Vec<String> = counts.iter().map(ToString::to_string).collect();
    Some(Balance {
        pods_compared: counts.len() as u64,
        connections: total,
        requests,
        p_equal_shares: Some(p),
        pattern: pattern.to_owned(),
        explanation: format!(
            "{total} connections over {} pods: {}; {why} (chi-square {statistic:.2}, p = {p:.4}, both tails)",
            counts.len(),
            shares.join(" / ")
        ),
    })
}
