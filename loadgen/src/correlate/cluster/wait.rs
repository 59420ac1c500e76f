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
    /// How much of it fell into that time: at least, and at most.
    pub fn within_us(&self, from_ns: u64, to_ns: u64) -> (u64, u64) {
        let inside_us = self.to_ns.min(to_ns).saturating_sub(self.from_ns.max(from_ns)) / 1_000;
        let outside_us = (self.to_ns.saturating_sub(self.from_ns) / 1_000).saturating_sub(inside_us);
        (self.us.saturating_sub(outside_us).min(inside_us), self.us.min(inside_us))
    }
}

#[cfg(test)]
mod tests {
    use super::Wait;

    #[test]
    fn a_wait_counts_as_far_as_it_must_or_may_have_been_inside() {
        let wait = Wait { from_ns: 100_000, to_ns: 150_000, us: 30 };
        assert_eq!(wait.within_us(0, 500_000), (30, 30));
        assert_eq!(wait.within_us(0, 130_000), (10, 30));
        assert_eq!(wait.within_us(0, 110_000), (0, 10));
        assert_eq!(wait.within_us(200_000, 500_000), (0, 0));
    }
}
