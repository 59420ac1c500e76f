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
    /// CPU time that the limit allows in a period. 0: not known.
    pub quota_us: u64,
    /// Its period. 0: not known.
    pub period_us: u64,
}

/// A limit that was used up again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// CPU time in each period.
    pub quota_us: u64,
    /// The period.
    pub period_us: u64,
}

impl UsedUp {
    /// From `from_ns` to `to_ns` no whole period went by that did not end with a stop, and such periods are half of that time or more.
    /// Then the pod ran for what its limit allows, and no longer. `stops` in order of time. `None`: not so, or the limit is not known.
    pub fn throughout(stops: &[Stops], from_ns: u64, to_ns: u64) -> Option<Self> {
        let known = stops.iter().filter(|stop| stop.quota_us > 0 && stop.period_us > 0);
        let mut inside = known.filter(|stop| stop.to_ns > from_ns && stop.from_ns < to_ns).peekable();
        let Stops { quota_us, period_us, from_ns: first_ns, .. } = **inside.peek()?;
        let period_ns = period_us * 1_000;
        // The time may begin in the middle of a period, and that one need not end with a stop. Later ones must: a stop ended
        // somewhere between its two readings, and the next is due a period after the later one.
        let due_ns = inside.try_fold(from_ns + 2 * period_ns, |due_ns, stop| {
            (stop.from_ns <= due_ns).then_some(stop.to_ns + period_ns)
        });
        let used_up_ns = to_ns.saturating_sub(first_ns.saturating_sub(period_ns).max(from_ns));
        (due_ns? >= to_ns && used_up_ns * 2 >= to_ns - from_ns).then_some(Self { quota_us, period_us })
    }

    /// How long it ran at most in a time of that length.
    pub fn ran_us(self, time_us: u64) -> u64 {
        (time_us as f64 * self.quota_us as f64 / self.period_us as f64) as u64
    }
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
    use super::{Stops, UsedUp};

    const MS: u64 = 1_000_000;

    #[test]
    fn one_stop_counts_as_far_as_it_was_inside_wherever_it_ended() {
        // It lasted 60 ms and ended between 100 and 120.
        let stop = Stops {
            from_ns: 100 * MS,
            to_ns: 120 * MS,
            us: 60_000,
            most_us: 60_000,
            periods: 1,
            quota_us: 0,
            period_us: 0,
        };
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
        let (us, most_us) = (220_000, 220_000);
        let stops = Stops { from_ns: 100 * MS, to_ns: 400 * MS, us, most_us, periods: 3, quota_us: 0, period_us: 0 };
        assert_eq!(stops.within_us(0, 500 * MS), (220_000, 220_000));
        // The first may have begun at 0; 100 of the 400 ms are outside, and may hold as much of it.
        assert_eq!(stops.within_us(100 * MS, 500 * MS), (120_000, 220_000));
        assert_eq!(stops.within_us(0, 100 * MS), (0, 100_000));
    }
    #[test]
    fn a_limit_is_used_up_throughout_when_no_period_goes_by_without_a_stop() {
        let stop = |at: u64| Stops {
            from_ns: at * MS,
            to_ns: (at + 20) * MS,
            us: 40_000,
            most_us: 40_000,
            periods: 1,
            quota_us: 20_000,
            period_us: 100_000,
        };
        let used_up = Some(UsedUp { quota_us: 20_000, period_us: 100_000 });
        let every = [stop(50), stop(150), stop(250)];
        assert_eq!(UsedUp::throughout(&every, 0, 320 * MS), used_up);
        assert_eq!(UsedUp::throughout(&every, 0, 400 * MS), None, "none ended in the last hundred");
        assert_eq!(UsedUp::throughout(&[every[0], every[2]], 0, 320 * MS), None, "none ended between 70 and 250");
        assert_eq!(
            UsedUp::throughout(&every[1..], 0, 320 * MS),
            used_up,
            "the first may have ended a period that began earlier"
        );
        assert_eq!(UsedUp::throughout(&every[2..], 0, 320 * MS), None, "the first came late");
        assert_eq!(
            UsedUp::throughout(&every[1..2], 0, 160 * MS),
            used_up,
            "one whole period, and what was left of another"
        );
        assert_eq!(UsedUp::throughout(&[stop(190)], 0, 195 * MS), used_up, "a whole period is half of it");
        assert_eq!(UsedUp::throughout(&[stop(199)], 0, 190 * MS), None, "none ended inside");
        assert_eq!(UsedUp::throughout(&every, 280 * MS, 320 * MS), None, "nothing inside");
        let unknown = every.map(|stop| Stops { quota_us: 0, period_us: 0, ..stop });
        assert_eq!(UsedUp::throughout(&unknown, 0, 320 * MS), None);
        assert_eq!(used_up.map(|it| it.ran_us(300_000)), Some(60_000));
    }
}
