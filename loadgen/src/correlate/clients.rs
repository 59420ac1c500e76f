//! The client's requests, each once and in order of their numbers.

use crate::raw::{Request, Requests};

/// The client's requests. A request's place here is what every later step calls it by.
pub struct Clients<'a> {
    all: &'a Requests,
    /// Where they are. `None`: at the same places.
    order: Option<Vec<u32>>,
    /// Each number is its place.
    dense: bool,
}

impl<'a> Clients<'a> {
    /// In order of `seq`; a second record of one number would count a request twice.
    pub fn of(all: &'a Requests) -> Self {
        let in_order = all.iter().is_sorted_by(|a, b| a.seq < b.seq);
        let order = (!in_order).then(|| {
            let seq = |at: u32| all.get(at as usize).seq;
            let mut order: Vec<u32> = (0..all.len() as u32).collect();
            order.sort_by_key(|at| seq(*at));
            order.dedup_by_key(|at| seq(*at));
            order
        });
        let mut clients = Self { all, order, dense: false };
        let dense = clients.iter().enumerate().all(|(at, request)| request.seq == at as u64);
        clients.dense = dense;
        clients
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.order.as_ref().map_or(self.all.len(), Vec::len)
    }

    /// The one at that place.
    pub fn at(&self, place: u32) -> Request<'a> {
        self.all.get(self.order.as_ref().map_or(place, |order| order[place as usize]) as usize)
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Request<'a>> + ExactSizeIterator {
        (0..self.len() as u32).map(|place| self.at(place))
    }

    /// Place of the request with that number.
    pub fn place_of(&self, seq: u64) -> Option<u32> {
        let count = self.len() as u32;
        if self.dense {
            return u32::try_from(seq).ok().filter(|place| *place < count);
        }
        let (mut from, mut until) = (0, count);
        while from < until {
            let middle = from.midpoint(until);
            if self.at(middle).seq < seq {
                from = middle + 1;
            } else {
                until = middle;
            }
        }
        Some(from).filter(|place| *place < count && self.at(*place).seq == seq)
    }
}
