//! How long the load generator itself did not run in a part of a request's way.

use crate::raw::Lag;

/// Of that time, in nanoseconds. `lags` follow each other and do not overlap: each begins after the one before has ended.
pub fn within_ns(lags: &[Lag], from_ns: u64, to_ns: u64) -> u64 {
    let first = lags.partition_point(|lag| lag.ran_ns <= from_ns);
    let met = lags[first..].iter().take_while(|lag| lag.due_ns < to_ns);
    met.map(|lag| lag.ran_ns.min(to_ns).saturating_sub(lag.due_ns.max(from_ns))).sum()
}

#[cfg(test)]
mod tests {
    use super::within_ns;
    use crate::raw::Lag;

    #[test]
    fn lags_count_as_far_as_they_were_inside() {
        let lags = [(10, 20), (30, 50), (60, 61)].map(|(due_ns, ran_ns)| Lag { due_ns, ran_ns });
        assert_eq!([within_ns(&lags, 0, 100), within_ns(&lags, 15, 40), within_ns(&lags, 20, 30)], [31, 15, 0]);
        assert_eq!([within_ns(&lags, 61, 90), within_ns(&[], 0, 9)], [0, 0]);
    }
}
