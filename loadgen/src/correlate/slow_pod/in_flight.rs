//! How many requests are at a pod at a time.

/// A number that changes in steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// From then on, so many.
    steps: Vec<(u64, u64)>,
}

impl Steps {
    /// Of requests that were there from the first to the second moment.
    pub fn of(visits: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut changes: Vec<(u64, i64)> = Vec::new();
        for (start_ns, end_ns) in visits {
            changes.push((start_ns, 1));
            changes.push((end_ns.max(start_ns), -1));
        }
        // Who leaves at the moment at which another comes was not there with it.
        changes.sort_unstable();
        let mut steps: Vec<(u64, u64)> = Vec::with_capacity(changes.len());
        let mut now = 0_i64;
        for (at_ns, change) in changes {
            now += change;
            let count = now.max(0) as u64;
            match steps.last_mut() {
                // One moment, one state: that after all who left and all who came.
                Some((last_ns, last)) if *last_ns == at_ns && change > 0 => *last = count,
                _ => steps.push((at_ns, count)),
            }
        }
        Self { steps }
    }

    /// The steps in force from `from_ns` until before `until_ns`, cut to that.
    fn within(&self, from_ns: u64, until_ns: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let first = self.steps.partition_point(|(at_ns, _)| *at_ns <= from_ns).saturating_sub(1);
        let ends = move |at: usize| self.steps.get(at + 1).map_or(u64::MAX, |next| next.0);
        let steps = self.steps.iter().enumerate().skip(first);
        let cut = steps.map(move |(at, (start_ns, count))| ((*start_ns).max(from_ns), ends(at).min(until_ns), *count));
        cut.take_while(move |(start_ns, ..)| *start_ns < until_ns).filter(|(start_ns, end_ns, _)| end_ns >= start_ns)
    }

    /// Most at a time.
    pub fn max(&self, from_ns: u64, until_ns: u64) -> u64 {
        self.within(from_ns, until_ns).map(|(.., count)| count).max().unwrap_or(0)
    }

    /// On average over time. `None`: no time.
    pub fn mean(&self, from_ns: u64, until_ns: u64) -> Option<f64> {
        let sum: f64 =
            self.within(from_ns, until_ns).map(|(start, end, count)| (end - start) as f64 * count as f64).sum();
        (until_ns > from_ns).then(|| sum / (until_ns - from_ns) as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn counts_at_any_time() {
        let steps = Steps::of([(10, 30), (20, 40), (40, 50)].into_iter());
        assert_eq!((steps.max(0, 100), steps.max(0, 15), steps.max(30, 45), steps.max(60, 90)), (2, 1, 1, 0));
        // One for 10, two for 10, one for 20 of a hundred.
        assert!((steps.mean(0, 100).unwrap() - 0.5).abs() < 1e-9);
        assert!((steps.mean(20, 30).unwrap() - 2.0).abs() < 1e-9);
        assert!(steps.mean(5, 5).is_none());
        assert_eq!(Steps::default().max(0, 10), 0);
    }
}
