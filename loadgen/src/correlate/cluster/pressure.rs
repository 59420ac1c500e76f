//! How a pod fared on its node's CPUs.

use observer::record::PRESSURE_LEAST_PART;

/// Between two readings. What the kernel does not tell is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// It had work and no CPU.
    pub waited_us: Option<u64>,
    /// It ran, summed over CPUs.
    pub ran_us: Option<u64>,
}

/// For how long a pod ran: at least, and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    pub least_us: u64,
    pub most_us: u64,
}

impl Pressure {
    /// How long it waited in that time, if its waits were spread evenly: they are many and short.
    pub fn waited_within_us(&self, from_ns: u64, to_ns: u64) -> u64 {
        let inside_us = self.inside_ns(from_ns, to_ns) as f64 / 1e3;
        (self.waited_us.unwrap_or(0) as f64 * self.inside(from_ns, to_ns)).min(inside_us) as u64
    }

    fn inside_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        self.to_ns.min(to_ns).saturating_sub(self.from_ns.max(from_ns))
    }

    /// The part of its time that was in that one.
    fn inside(&self, from_ns: u64, to_ns: u64) -> f64 {
        self.inside_ns(from_ns, to_ns) as f64 / self.to_ns.saturating_sub(self.from_ns).max(1) as f64
    }
}

impl Ran {
    /// How long the pod of these readings ran in that time, if evenly in each of them. Between readings that are not told it ran for
    /// [no more than a part](PRESSURE_LEAST_PART). `None`: it was not read from the beginning.
    pub fn within(readings: &[Pressure], from_ns: u64, to_ns: u64) -> Option<Self> {
        let told = || readings.iter().filter_map(|reading| Some((reading, reading.ran_us?)));
        told().find(|(reading, _)| reading.from_ns <= from_ns)?;
        let (mut ran_us, mut told_ns) = (0.0, 0);
        for (reading, us) in told() {
            ran_us += us as f64 * reading.inside(from_ns, to_ns);
            told_ns += reading.inside_ns(from_ns, to_ns);
        }
        let untold_us = to_ns.saturating_sub(from_ns).saturating_sub(told_ns) / 1_000;
        let least_us = ran_us as u64;
        Some(Self { least_us, most_us: least_us + untold_us / PRESSURE_LEAST_PART })
    }
}

#[cfg(test)]
mod tests {
    use super::{Pressure, Ran};

    const READING: Pressure = Pressure { from_ns: 100_000, to_ns: 150_000, waited_us: Some(30), ran_us: Some(20) };

    #[test]
    fn a_wait_counts_by_the_part_of_its_time_that_was_inside() {
        assert_eq!(READING.waited_within_us(0, 500_000), 30);
        assert_eq!(READING.waited_within_us(0, 130_000), 18);
        assert_eq!(READING.waited_within_us(200_000, 500_000), 0);
        // Two CPUs' worth cannot be more than the time.
        assert_eq!(Pressure { waited_us: Some(90), ..READING }.waited_within_us(0, 130_000), 30);
        assert_eq!(Pressure { waited_us: None, ..READING }.waited_within_us(0, 130_000), 0);
    }

    #[test]
    fn between_readings_that_are_not_told_a_pod_ran_for_a_tenth_at_most() {
        let later = Pressure { from_ns: 250_000, to_ns: 300_000, ran_us: Some(80), ..READING };
        let ran =
            |from_ns, to_ns| Ran::within(&[READING, later], from_ns, to_ns).map(|ran| (ran.least_us, ran.most_us));
        assert_eq!(ran(100_000, 150_000), Some((20, 20)));
        assert_eq!(ran(125_000, 275_000), Some((50, 60)), "25 µs of the first, 25 of the second, 100 in between");
        assert_eq!(ran(160_000, 240_000), Some((0, 8)));
        assert_eq!(ran(50_000, 300_000), None, "not read from the beginning");
        assert_eq!(Ran::within(&[Pressure { ran_us: None, ..READING }], 110_000, 120_000), None, "not read at all");
    }
}
