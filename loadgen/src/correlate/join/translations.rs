//! Translations by one of their tuples.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::correlate::seen::{Groups, Seen, Trans, Tuple};

/// Translations by one of their tuples. A client that has used all its source ports begins again, so that a tuple has many in a
/// long run: those of one place are in order of time, and the one that applied is looked for by halves.
pub struct Translations<'r, F> {
    seen: &'r Seen<'r>,
    tuple: F,
    places: usize,
    /// Tuples of one place share a list.
    by_place: Groups,
}

impl<'r, F: Fn(Trans<'r>) -> Tuple> Translations<'r, F> {
    /// Of all translations.
    pub fn new(seen: &'r Seen<'r>, tuple: F) -> Self {
        let places = seen.translations().len().next_power_of_two();
        let placed = seen.translations().map(|translation| place(tuple(translation), places));
        let by_place = Groups::new(places, placed.zip(0..));
        Self { seen, tuple, places, by_place }
    }

    /// The latest one made by then.
    pub fn latest(&self, tuple: Tuple, by_ns: u64) -> Option<u32> {
        let there = self.by_place.of(place(tuple, self.places));
        let made = there.partition_point(|position| self.seen.translation(*position).created_ns() <= by_ns);
        let same = |position: &&u32| (self.tuple)(self.seen.translation(**position)) == tuple;
        there[..made].iter().rev().find(same).copied()
    }
}

/// Its place among `places`, a power of two.
fn place(tuple: Tuple, places: usize) -> u32 {
    (FxBuildHasher.hash_one(tuple) as usize & (places - 1)) as u32
}
