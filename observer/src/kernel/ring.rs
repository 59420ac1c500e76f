//! Reading the ring buffer.

use aya::maps::{MapData, RingBuf};
use observer_ebpf::wire::Event;

/// What one drain found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Events handed on.
    pub events: u64,
    /// Records of an unknown kind or size (agent and object do not match).
    pub undecodable: u64,
}

/// Hands on what waits, up to `most` records: a flood must not keep the caller from its other work.
pub(super) fn drain(ring: &mut RingBuf<MapData>, most: u64, mut each: impl FnMut(&Event<'_>)) -> Drained {
    let mut drained = Drained::default();
    while drained.events + drained.undecodable < most {
        let Some(record) = ring.next() else { break };
        match Event::decode(&record) {
            Some(event) => {
                drained.events += 1;
                each(&event);
            }
            None => drained.undecodable += 1,
        }
    }
    drained
}
