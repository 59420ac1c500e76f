//! Many values for each of many small keys, in two flat arrays.

/// For each key from 0 to `keys`, the values given for it, in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    starts: Vec<u32>,
    values: Vec<u32>,
}

impl Groups {
    /// Groups `(key, value)` pairs; the iterator is walked twice.
    pub fn new(keys: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        // Two places on, so that filling moves each start to where the one before it belongs.
        let mut starts = vec![0_u32; keys + 2];
        for (key, _) in pairs.clone() {
            starts[key as usize + 2] += 1;
        }
        for key in 2..starts.len() {
            starts[key] += starts[key - 1];
        }
        let mut values = vec![0; starts[keys + 1] as usize];
        for (key, value) in pairs {
            let place = &mut starts[key as usize + 1];
            values[*place as usize] = value;
            *place += 1;
        }
        starts.pop();
        Self { starts, values }
    }

    /// Values of one key.
    pub fn of(&self, key: u32) -> &[u32] {
        &self.values[self.starts[key as usize] as usize..self.starts[key as usize + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_within_a_key() {
        let pairs = [(2, 10), (0, 11), (2, 12)];
        let groups = Groups::new(3, pairs.iter().copied());
        assert_eq!(groups.of(0), [11]);
        assert!(groups.of(1).is_empty());
        assert_eq!(groups.of(2), [10, 12]);
    }
}
