//! When a pod's CPU limit stopped it.

/// The scheduler's usual period, and so the longest that one stop can be.
const PERIOD_US: u64 = 100_000;

/// Stops that ended between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stops {
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// Their lengths, at least. The kernel adds up CPUs, so it can be more than there is.
    pub us: u64,
    /// At most.
    pub most_us: u64,
    /// How many.
    pub periods: u64,
}

impl Stops {
    /// How much of them fell into that time: at least, and at most, wherever they were.
    pub fn within_us(&self, from_ns: u64, to_ns: u64) -> (u64, u64) {
        let overlap_us = |start_ns: u64, end_ns: u64| end_ns.min(to_ns).saturating_sub(start_ns.max(from_ns)) / 1_000;
        let (longest_us, most_us) = (self.us.min(PERIOD_US), self.most_us.min(PERIOD_US));
        // The first of them may have begun before the first reading.
        let start_ns = self.from_ns.saturating_sub(most_us * 1_000);
        let inside_us = overlap_us(start_ns, self.to_ns);
        if self.periods <= 1 {
            // One stop, of known length: its end is between the readings. The overlap grows and then shrinks with it, so that the least
            // is at one of the two.
            let if_it_ended_at = |end_ns: u64| overlap_us(end_ns.saturating_sub(longest_us * 1_000), end_ns);
            return (if_it_ended_at(self.from_ns).min(if_it_ended_at(self.to_ns)), inside_us.min(most_us));
        }
        // Several: at least what the rest of that time cannot hold.
        let span_us = self.to_ns.saturating_sub(start_ns) / 1_000;
        (self.us.min(span_us).saturating_sub(span_us - inside_us), inside_us.min(self.most_us))
    }
}

#[cfg(test)]
mod tests {
    use super::Stops;

    const MS: u64 = 1_000_000;

    #[test]
    fn one_stop_counts_as_far_as_it_was_inside_wherever_it_ended() {
        // It lasted 60 ms and ended between 100 and 120.
        let stop = Stops { from_ns: 100 * MS, to_ns: 120 * MS, us: 60_000, most_us: 60_000, periods: 1 };
        assert_eq!(stop.within_us(0, 500 * MS), (60_000, 60_000));
        // From 50 on: it may have begun at 40. Until 110: it may have ended at 120.
        assert_eq!(stop.within_us(50 * MS, 500 * MS), (50_000, 60_000));
        assert_eq!(stop.within_us(0, 110 * MS), (50_000, 60_000));
        assert_eq!(stop.within_us(0, 50 * MS), (0, 10_000));
        assert_eq!(stop.within_us(200 * MS, 500 * MS), (0, 0));
        // Two busy CPUs that were stopped together.
        assert_eq!(Stops { us: 160_000, most_us: 160_000, ..stop }.within_us(0, 500 * MS), (100_000, 100_000));
        // Pod and container took turns, or fell together.
        assert_eq!(Stops { most_us: 90_000, ..stop }.within_us(0, 500 * MS), (60_000, 90_000));
    }

    #[test]
    fn several_stops_count_as_far_as_the_rest_cannot_hold_them() {
        let stops = Stops { from_ns: 100 * MS, to_ns: 400 * MS, us: 220_000, most_us: 220_000, periods: 3 };
        assert_eq!(stops.within_us(0, 500 * MS), (220_000, 220_000));
        // The first may have begun at 0; 100 of the 400 ms are outside, and may hold as much of it.
        assert_eq!(stops.within_us(100 * MS, 500 * MS), (120_000, 220_000));
        assert_eq!(stops.within_us(0, 100 * MS), (0, 100_000));
    }
}
