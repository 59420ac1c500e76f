//! A time as its distance from another one, in four bytes.

/// A time, or none. What is too far away is a number in [`Far`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near(u32);

/// Reached backwards, half a second; the rest of 2³¹ ns, 1.6 s, is reached forwards.
const BACK_NS: u64 = 1 << 29;
/// Set in the number of a time that is farther away.
const FAR: u32 = 1 << 31;

impl Near {
    /// No time.
    pub const NONE: Self = Self(u32::MAX);

    /// The same time, now that its [`Far`] stands behind so many others.
    #[must_use]
    pub fn moved(self, by: u32) -> Self {
        let is_far = self != Self::NONE && self.0 >= FAR;
        if is_far { Self(self.0 + by) } else { self }
    }
}

/// Times that are not near.
#[derive(Clone, Debug, Default)]
pub struct Far(Vec<u64>);

impl Far {
    /// Keeps a time that belongs to `base_ns`.
    pub fn put(&mut self, base_ns: u64, at_ns: Option<u64>) -> Near {
        let Some(at_ns) = at_ns else { return Near::NONE };
        let distance = at_ns.wrapping_sub(base_ns).wrapping_add(BACK_NS);
        if distance < u64::from(FAR) {
            return Near(distance as u32);
        }
        self.0.push(at_ns);
        Near(FAR | (self.0.len() - 1) as u32)
    }

    /// The time, exactly as it was given.
    pub fn get(&self, base_ns: u64, near: Near) -> Option<u64> {
        match near.0 {
            u32::MAX => None,
            distance if distance < FAR => Some(base_ns.wrapping_sub(BACK_NS).wrapping_add(u64::from(distance))),
            far => Some(self.0[(far & !FAR) as usize]),
        }
    }

    /// Puts others behind these; tells behind how many.
    pub fn append(&mut self, mut others: Self) -> u32 {
        let before = self.0.len() as u32;
        self.0.append(&mut others.0);
        before
    }

    /// Gives back memory that is not used.
    pub fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_comes_back_exactly() {
        let second = 1_000_000_000;
        let bases = [0, 1, BACK_NS, 19_030_127_683_235, u64::MAX - 1, u64::MAX];
        let steps = [0, 1, 999, BACK_NS - 1, BACK_NS, BACK_NS + 1, 1_610_612_735, 1_610_612_736, 10 * second, u64::MAX];
        let mut far = Far::default();
        let mut kept = Vec::new();
        for base in bases {
            for step in steps {
                for at in [base.wrapping_add(step), base.wrapping_sub(step)] {
                    kept.push((base, at, far.put(base, Some(at))));
                }
            }
            assert_eq!(far.get(base, far.clone().put(base, None)), None);
        }
        for (base, at, near) in kept {
            assert_eq!(far.get(base, near), Some(at), "{at} from {base}");
        }
    }

    #[test]
    fn what_is_near_needs_no_other_place() {
        let mut far = Far::default();
        far.put(1_000_000_000, Some(500_000_000));
        far.put(1_000_000_000, Some(2_600_000_000));
        assert!(far.0.is_empty());
        far.put(1_000_000_000, Some(2_700_000_000));
        assert_eq!(far.0.len(), 1);
    }
}
