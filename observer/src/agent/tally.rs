//! Counters by name. Pure.

use std::collections::BTreeMap;

/// Counters of the agent itself: losses, and what is worth knowing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    lost: BTreeMap<&'static str, u64>,
    seen: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// One more of something that means a loss.
    pub fn lost(&mut self, name: &'static str) {
        *self.lost.entry(name).or_default() += 1;
    }

    /// One more of something that is no loss.
    pub fn seen(&mut self, name: &'static str) {
        *self.seen.entry(name).or_default() += 1;
    }

    /// Losses by name.
    pub fn losses(&self) -> impl Iterator<Item = (String, u64)> {
        self.lost.iter().map(|(name, count)| ((*name).to_owned(), *count))
    }

    /// The others by name.
    pub fn others(&self) -> impl Iterator<Item = (String, u64)> {
        self.seen.iter().map(|(name, count)| ((*name).to_owned(), *count))
    }
}
