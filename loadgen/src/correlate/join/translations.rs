//! Translations by one of their tuples.

use std::cell::Cell;
use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::correlate::seen::{Groups, Seen, Trans, Tuple};

/// Translations by one of their tuples. A client that has used all its source ports begins again, so that a tuple has many in a
/// long run. Those of one place are in order of time, and the one that applied is looked for by halves.
pub struct Translations<'r, F> {
    seen: &'r Seen<'r>,
    tuple: F,
    places: usize,
    /// Tuples of one place share a list.
    by_place: Groups,
    /// How many had been made at the time that was asked for last.
    last: Cell<u32>,
}

impl<'r, F: Fn(Trans<'r>) -> Tuple> Translations<'r, F> {
    /// Of all translations.
    pub fn new(seen: &'r Seen<'r>, tuple: F) -> Self {
        let places = seen.translations().len().next_power_of_two();
        let placed = seen.translations().map(|translation| place(tuple(translation), places));
        let by_place = Groups::new(places, placed.zip(0..));
        Self { seen, tuple, places, by_place, last: Cell::new(0) }
    }

    /// The latest one made by then.
    pub fn latest(&self, tuple: Tuple, by_ns: u64) -> Option<u32> {
        let made = self.made_by(by_ns);
        let there = self.by_place.of(place(tuple, self.places));
        let there = &there[..there.partition_point(|position| *position < made)];
        there.iter().rev().find(|position| (self.tuple)(self.seen.translation(**position)) == tuple).copied()
    }

    /// The one made nearest to that time among those that are `wanted` as well.
    pub fn nearest(&self, tuple: Tuple, to_ns: u64, wanted: impl Fn(Trans<'r>) -> bool) -> Option<u32> {
        let made = self.made_by(to_ns);
        let there = self.by_place.of(place(tuple, self.places));
        let (before, after) = there.split_at(there.partition_point(|position| *position < made));
        let fits = |position: &&u32| {
            let translation = self.seen.translation(**position);
            (self.tuple)(translation) == tuple && wanted(translation)
        };
        let nearest = [before.iter().rev().find(fits), after.iter().find(fits)].into_iter().flatten().copied();
        nearest.min_by_key(|position| self.seen.translation(*position).created_ns().abs_diff(to_ns))
    }

    /// How many were made by then: their positions are in order of time. Requests come nearly in that order as well, so it is
    /// looked for around the last answer, in steps that double, and then by halves.
    fn made_by(&self, by_ns: u64) -> u32 {
        let count = self.seen.translations().len() as u32;
        let made = |position: u32| self.seen.translation(position).created_ns() <= by_ns;
        let (mut from, mut until, mut step) = (self.last.get(), self.last.get(), 1);
        while from > 0 && !made(from - 1) {
            until = from - 1;
            from = until.saturating_sub(step);
            step *= 2;
        }
        while until < count && made(until) {
            from = until + 1;
            until = from.saturating_add(step).min(count);
            step *= 2;
        }
        while from < until {
            let middle = from.midpoint(until);
            if made(middle) {
                from = middle + 1;
            } else {
                until = middle;
            }
        }
        self.last.set(from);
        from
    }
}

/// Its place among `places`, a power of two.
fn place(tuple: Tuple, places: usize) -> u32 {
    (FxBuildHasher.hash_one(tuple) as usize & (places - 1)) as u32
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use observer::record::{Nat, NatSource, Translation};

    use super::*;
    use crate::correlate::clients::Clients;
    use crate::correlate::clocks::Clocks;
    use crate::correlate::cluster::Cluster;
    use crate::raw::{Records, Requests};

    fn address(port: u64) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port as u16))
    }

    #[test]
    fn it_is_the_latest_one_made_by_then_in_whatever_order_one_asks() {
        let random = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        // Port and time: few ports, and times that are equal here and there.
        let made: Vec<(u64, u64)> = (0..300).map(|n| (random(n) % 7, random(n + 1_000) % 200)).collect();
        let mut records = Records::default();
        let node = records.node("n");
        for (port, at_ns) in &made {
            let nat = Nat {
                dialled: address(80),
                chosen: address(81),
                source_seen: address(*port),
                pod: None,
                created_ns: *at_ns,
                source: NatSource::New,
                entries: 1,
                expired: None,
            };
            records.push_translation(node, &Translation::<String> { node: "n".into(), client: address(*port), nat });
        }
        let requests = Requests::default();
        let client = Clients::of(&requests);
        let seen = Seen::index(&records, &client, &Clocks::default(), &mut Cluster::default());
        let translations = Translations::new(&seen, Trans::as_seen);
        for n in 0..2_000 {
            let (port, by_ns) = (random(n) % 7, random(n + 5_000) % 220);
            let found = translations.latest(seen.tuple_of((address(port), address(81))).expect("known"), by_ns);
            let truth =
                made.iter().filter(|(other, at_ns)| *other == port && *at_ns <= by_ns).map(|(_, at_ns)| *at_ns).max();
            assert_eq!(found.map(|at| seen.translation(at).created_ns()), truth, "port {port} by {by_ns}");
            if let Some(at) = found {
                assert_eq!(seen.translation(at).source_seen(), address(port));
            }
        }
    }
}
