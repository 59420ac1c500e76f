//! Moments of the run's monotonic clock as wall-clock time.

use jiff::Timestamp;

use crate::raw::RunFile;

/// Turns the load generator's `CLOCK_MONOTONIC` into RFC 3339.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// Add to a monotonic time to get nanoseconds since 1970.
    realtime_minus_monotonic_ns: i128,
}

impl WallClock {
    /// The anchor that the run has written down.
    pub fn of(run: &RunFile) -> Self {
        Self { realtime_minus_monotonic_ns: i128::from(run.anchor_realtime_ns) - i128::from(run.anchor_monotonic_ns) }
    }

    /// RFC 3339, UTC, nanoseconds.
    pub fn rfc3339(self, monotonic_ns: u64) -> String {
        match Timestamp::from_nanosecond(i128::from(monotonic_ns) + self.realtime_minus_monotonic_ns) {
            Ok(at) => format!("{at:.9}"),
            // Only a damaged anchor gets here: better an impossible date than a wrong one.
            Err(_) => "outside of the calendar".to_owned(),
        }
    }
}

/// Milliseconds from `start_ns` to `end_ns`, negative when `end_ns` is earlier.
pub fn ms_between(start_ns: u64, end_ns: u64) -> f64 {
    // Rounded to a microsecond, so that a report does not carry the noise of binary fractions.
    let ns = i128::from(end_ns) - i128::from(start_ns);
    (ns as f64 / 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchor_maps_to_itself() {
        let clock = WallClock { realtime_minus_monotonic_ns: 1_700_000_000_000_000_000 - 5_000_000_000 };
        assert_eq!(clock.rfc3339(5_000_000_001), "2023-11-14T22:13:20.000000001Z");
    }

    #[test]
    fn earlier_is_negative() {
        assert!((ms_between(2_000_000, 1_000_000) + 1.0).abs() < 1e-9);
    }
}
