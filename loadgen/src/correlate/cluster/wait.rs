//! When a pod had work and no CPU.

/// Between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// For so long.
    pub us: u64,
}

impl Wait {
    /// How much of it fell into that time, if it was spread evenly: waits for a CPU are many and short.
    pub fn within_us(&self, from_ns: u64, to_ns: u64) -> u64 {
        let inside_ns = self.to_ns.min(to_ns).saturating_sub(self.from_ns.max(from_ns));
        let between_ns = self.to_ns.saturating_sub(self.from_ns).max(1);
        (self.us as f64 * inside_ns as f64 / between_ns as f64).min(inside_ns as f64 / 1e3) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Wait;

    #[test]
    fn a_wait_counts_by_the_part_of_its_time_that_was_inside() {
        let wait = Wait { from_ns: 100_000, to_ns: 150_000, us: 30 };
        assert_eq!(wait.within_us(0, 500_000), 30);
        assert_eq!(wait.within_us(0, 130_000), 18);
        assert_eq!(wait.within_us(200_000, 500_000), 0);
        // Two CPUs' worth cannot be more than the time.
        assert_eq!(Wait { us: 90, ..wait }.within_us(0, 130_000), 30);
    }
}
