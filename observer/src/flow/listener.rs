//! Data that arrived at a listener before the connection had a socket of its own (`TCP_DEFER_ACCEPT`, a lost ACK).

use std::collections::HashMap;

use observer_ebpf::wire::{Segment, Tuple};

/// Connections waited for at once.
const MOST: usize = 4096;
/// How long one is waited for: a listener whose queue is full makes the sender try again for longer, with the same data.
const WAIT_NS: u64 = 5_000_000_000;

/// A segment and its captured bytes.
#[derive(Clone, Debug)]
pub(super) struct Early {
    pub(super) segment: Segment,
    pub(super) data: Vec<u8>,
}

/// Data by the connection that will come.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    early: HashMap<Tuple, Vec<Early>>,
}

impl Listeners {
    /// Keeps a segment. Returns how many were given up for want of room.
    pub(super) fn keep(&mut self, segment: &Segment, data: &[u8]) -> u64 {
        let mut lost = 0;
        if self.early.len() >= MOST && !self.early.contains_key(&segment.tuple) {
            lost = self.expire(segment.header.at_ns.saturating_sub(WAIT_NS / 10));
            if self.early.len() >= MOST {
                return lost + 1;
            }
        }
        self.early.entry(segment.tuple).or_default().push(Early { segment: *segment, data: data.to_vec() });
        lost
    }

    /// The connection has come.
    pub(super) fn claim(&mut self, tuple: &Tuple) -> Vec<Early> {
        if self.early.is_empty() { Vec::new() } else { self.early.remove(tuple).unwrap_or_default() }
    }

    /// Gives up what waited too long. Returns how many.
    pub(super) fn tick(&mut self, now_ns: u64) -> u64 {
        if self.early.is_empty() { 0 } else { self.expire(now_ns.saturating_sub(WAIT_NS)) }
    }

    fn expire(&mut self, before_ns: u64) -> u64 {
        let count = self.early.len();
        self.early.retain(|_, early| early.last().is_some_and(|last| last.segment.header.at_ns >= before_ns));
        (count - self.early.len()) as u64
    }
}
