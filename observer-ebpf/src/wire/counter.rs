//! Per-CPU counters of the kernel side: what was lost, and what is merely worth knowing.

/// A counter: its place in the per-CPU array, its name in metrics and reports, and whether it means lost events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Place in the array.
    pub index: u32,
    /// Name in metrics and reports.
    pub name: &'static str,
    /// Something that should have been told was not.
    pub lost: bool,
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $constant:ident = $index:literal, $name:literal, $lost:literal;)+) => {
        impl Counter {
            $($(#[doc = $doc])+ pub const $constant: u32 = $index;)+

            /// All counters, in the order of their place.
            pub const ALL: &'static [Self] = &[$(Self { index: $index, name: $name, lost: $lost }),+];
        }
    };
}

counters! {
    /// The ring buffer had no room for a connection's beginning.
    RING_OPEN = 0, "ring_full_open", true;
    /// The ring buffer had no room for a change of state.
    RING_STATE = 1, "ring_full_state", true;
    /// The ring buffer had no room for a reset or a retransmission.
    RING_MARK = 2, "ring_full_mark", true;
    /// The ring buffer had no room for payload.
    RING_SEGMENT = 3, "ring_full_segment", true;
    /// The ring buffer had no room for a socket call.
    RING_CALL = 4, "ring_full_call", true;
    /// The kernel gave no storage for a socket.
    NO_STORAGE = 5, "socket_storage_failed", true;
    /// The bytes of a packet could not be read.
    UNREADABLE = 6, "packet_unreadable", true;
    /// A message head was longer than the kernel looks.
    HEAD_TRUNCATED = 7, "head_truncated", true;
    /// Payload segments of watched sockets.
    SEGMENTS = 8, "segments", false;
    /// Payload that had been seen before (retransmissions).
    SEGMENTS_REPEATED = 9, "segments_repeated", false;
    /// Payload that arrived ahead of its turn.
    SEGMENTS_AHEAD = 10, "segments_out_of_order", false;
    /// Payload on sockets that do not speak HTTP/1.x.
    SEGMENTS_NOT_HTTP = 11, "segments_not_http", false;
    /// Sockets met that are older than the observer.
    FOUND = 12, "sockets_older_than_observer", false;
    /// Events of watched sockets that the second of two programs told: the kernel had not run the first, or the socket is older.
    TOLD_SECOND = 13, "told_by_second_program", false;
}

impl Counter {
    /// Size of the per-CPU array.
    pub const COUNT: u32 = 16;
}

const _: () = assert!(Counter::ALL.len() <= Counter::COUNT as usize);

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn places_match_their_order() {
        for (place, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(counter.index as usize, place, "{}", counter.name);
        }
    }
}
