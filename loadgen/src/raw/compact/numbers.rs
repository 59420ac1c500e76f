//! Things that are named often and kept once.

use std::hash::{BuildHasher, Hash};

use rustc_hash::{FxBuildHasher, FxHashMap};

/// A list without repetitions; each thing's number is its place.
#[derive(Clone, Debug)]
pub struct Numbers<T> {
    list: Vec<T>,
    /// By hash of what a thing is known by; of two with one hash the second is at the next free one.
    places: FxHashMap<u64, u32>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { list: Vec::new(), places: FxHashMap::default() }
    }
}

impl<T> Numbers<T> {
    /// Number of the thing with that `key`; `make` is only called for a new one.
    pub fn of(&mut self, key: impl Hash, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u32 {
        let mut hash = FxBuildHasher.hash_one(key);
        while let Some(place) = self.places.get(&hash) {
            if is(&self.list[*place as usize]) {
                return *place;
            }
            hash = hash.wrapping_add(1);
        }
        let place = self.list.len() as u32;
        self.places.insert(hash, place);
        self.list.push(make());
        place
    }

    /// Number of a thing that is its own key.
    pub fn of_value(&mut self, value: T) -> u32
    where
        T: Copy + Eq + Hash,
    {
        self.of(value, |other| *other == value, || value)
    }

    /// The thing with that number.
    pub fn get(&self, number: u32) -> &T {
        &self.list[number as usize]
    }

    /// All of them, by their numbers.
    pub fn list(&self) -> &[T] {
        &self.list
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hash_does_not_make_two_things_one() {
        let mut numbers: Numbers<&str> = Numbers::default();
        let mut of = |name: &'static str| numbers.of(7, |other| *other == name, || name);
        assert_eq!([of("a"), of("b"), of("a"), of("c"), of("b")], [0, 1, 0, 2, 1]);
        assert_eq!((numbers.len(), *numbers.get(2)), (3, "c"));
    }
}
