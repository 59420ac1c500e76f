//! One direction of a connection as the kernel follows it.

use super::{HeadEnd, LastChunk, Start};

/// Where a segment belongs in its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// [`Place::IN_ORDER`], [`Place::REPEATED`], [`Place::AHEAD`] or [`Place::APART`].
    pub kind: u32,
    /// Bytes at its beginning that were seen before.
    pub skip: u32,
}

impl Place {
    /// It continues the stream (after `skip` bytes).
    pub const IN_ORDER: u32 = 0;
    /// All of it was seen before.
    pub const REPEATED: u32 = 1;
    /// Bytes before it are missing still.
    pub const AHEAD: u32 = 2;
    /// The same, and it is not even part of the one stretch that is remembered.
    pub const APART: u32 = 3;
}

/// State of one direction. Lives in the socket's storage.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Sequence number that continues the stream. Valid with [`Direction::STARTED`].
    pub next: u32,
    /// One stretch that arrived ahead: its begin. Valid with [`Direction::HAS_AHEAD`].
    pub ahead_begin: u32,
    /// Its end.
    pub ahead_end: u32,
    /// Flags.
    pub flags: u32,
    /// Bytes of the head that is not complete yet.
    pub head_bytes: u32,
    /// Held back body: first sequence number.
    pub held_seq: u32,
    /// Held back body: bytes. 0: nothing held.
    pub held_length: u32,
    /// Held back body: segments.
    pub held_segments: u32,
    /// Held back body: time of its last segment.
    pub held_at_ns: u64,
    /// Payload bytes, each counted once.
    pub bytes: u64,
    /// Search for the end of the head.
    pub head_end: HeadEnd,
    /// Search for the end of a chunked body.
    pub last_chunk: LastChunk,
}

const _: () = assert!(size_of::<Direction>() == 64);

impl Direction {
    /// `next` is valid.
    pub const STARTED: u32 = 1;
    /// `ahead_begin` and `ahead_end` are valid.
    pub const HAS_AHEAD: u32 = 2;
    /// A head has begun and not ended.
    pub const IN_HEAD: u32 = 4;
    /// The head ended within the stretch that arrived ahead.
    pub const AHEAD_ENDED: u32 = 8;
    /// This segment closed the gap before that stretch.
    pub const GAP_CLOSED: u32 = 16;

    /// Begins the stream at `next`.
    #[inline(always)]
    pub const fn start(&mut self, next: u32) {
        self.next = next;
        self.flags |= Self::STARTED;
    }

    /// Places a segment of `length` ≥ 1 bytes and advances. `turned`: the other direction spoke since, so nothing before
    /// an earlier stretch can be missing any more; nor before a message that begins here (`start`).
    #[inline(always)]
    pub const fn place(&mut self, seq: u32, length: u32, turned: bool, start: u32) -> Place {
        if self.flags & Self::STARTED == 0 {
            self.start(seq);
        }
        let misses = self.next.wrapping_sub(seq) >= 0x8000_0000;
        if turned && (self.flags & Self::HAS_AHEAD != 0 || (misses && start >= Start::REQUEST)) {
            self.flags &= !(Self::HAS_AHEAD | Self::AHEAD_ENDED);
            self.next = seq;
            self.lose_track();
        }
        let behind = self.next.wrapping_sub(seq);
        if behind == 0 || (behind < 0x8000_0000 && behind < length) {
            self.next = seq.wrapping_add(length);
            self.bytes += (length - behind) as u64;
            if self.flags & Self::HAS_AHEAD != 0 && self.ahead_begin.wrapping_sub(self.next) as i32 <= 0 {
                // The gap is closed. What is seen of the stretch is not told again.
                self.flags &= !Self::HAS_AHEAD;
                self.flags |= Self::GAP_CLOSED;
                if self.ahead_end.wrapping_sub(self.next) as i32 > 0 {
                    self.next = self.ahead_end;
                    self.lose_track();
                }
            }
            return Place { kind: Place::IN_ORDER, skip: behind };
        }
        if behind < 0x8000_0000 {
            return Place { kind: Place::REPEATED, skip: 0 };
        }
        self.ahead(seq, length)
    }

    #[inline(always)]
    const fn ahead(&mut self, seq: u32, length: u32) -> Place {
        let end = seq.wrapping_add(length);
        if self.flags & Self::HAS_AHEAD == 0 {
            self.flags |= Self::HAS_AHEAD;
            self.ahead_begin = seq;
            self.ahead_end = end;
        } else if self.ahead_end.wrapping_sub(seq) as i32 >= 0 && seq.wrapping_sub(self.ahead_begin) as i32 >= 0 {
            if self.ahead_end.wrapping_sub(end) as i32 >= 0 {
                return Place { kind: Place::REPEATED, skip: 0 };
            }
            self.ahead_end = end;
        } else {
            // A second stretch beside the first is told but not remembered; the agent sorts it out.
            return Place { kind: Place::APART, skip: 0 };
        }
        self.bytes += length as u64;
        Place { kind: Place::AHEAD, skip: 0 }
    }

    /// Bytes were missed or came out of order: searches that span segments begin anew.
    #[inline(always)]
    const fn lose_track(&mut self) {
        self.last_chunk.reset();
        self.head_end = HeadEnd::new();
    }

    /// Takes the last `count` bytes (1 to 8) of a segment in order and says whether the stream now ends with the last chunk of
    /// a chunked body.
    #[inline(always)]
    pub const fn ends_chunked(&mut self, bytes: u64, count: u32) -> bool {
        self.last_chunk.take(bytes, count) && self.flags & Self::GAP_CLOSED == 0
    }

    /// Whether the bytes of a segment may belong to a head. `start`: what they may begin ([`Start::of`]).
    #[inline(always)]
    pub const fn wants(&self, start: u32, turned: bool) -> bool {
        self.flags & Self::IN_HEAD != 0 || start >= Start::REQUEST || (turned && start == Start::POSSIBLE)
    }

    /// The segment's bytes will be told; a head begins unless one is going on. Returns whether one was.
    #[inline(always)]
    pub const fn begin_head(&mut self) -> bool {
        let begun = self.flags & Self::IN_HEAD != 0;
        if !begun {
            self.head_end = HeadEnd::new();
            self.head_bytes = 0;
        }
        begun
    }

    /// `bytes` were told as (part of) a head, which `ended` in them or goes on. `begun`: it had begun before them.
    #[inline(always)]
    pub const fn told(&mut self, kind: u32, bytes: u32, begun: bool, ended: bool) {
        if kind != Place::IN_ORDER && begun {
            if ended && kind == Place::AHEAD {
                self.flags |= Self::AHEAD_ENDED;
            }
        } else if ended {
            self.flags &= !Self::IN_HEAD;
            self.head_end = HeadEnd::new();
            self.head_bytes = 0;
        } else {
            self.flags |= Self::IN_HEAD;
            self.head_bytes += bytes;
        }
    }

    /// All of a segment was told. When it closed a gap behind which the head had ended, the head has ended.
    #[inline(always)]
    pub const fn segment_told(&mut self) {
        if self.flags & Self::GAP_CLOSED != 0 {
            if self.flags & Self::AHEAD_ENDED != 0 {
                self.flags &= !Self::IN_HEAD;
            }
            self.flags &= !(Self::GAP_CLOSED | Self::AHEAD_ENDED);
            // What follows continues the stretch, not this segment.
            self.lose_track();
        }
    }

    /// Lets a body segment wait for the next one. `seq` must continue what is held.
    #[inline(always)]
    pub const fn hold(&mut self, seq: u32, length: u32, at_ns: u64) {
        if self.held_length == 0 {
            self.held_seq = seq;
            self.held_segments = 0;
        }
        self.held_length += length;
        self.held_segments += 1;
        self.held_at_ns = at_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Place, Start};

    fn place(direction: &mut Direction, seq: u32, length: u32) -> (u32, u32) {
        let place = direction.place(seq, length, false, Start::NOTHING);
        (place.kind, place.skip)
    }

    #[test]
    fn in_order_across_the_wrap() {
        let mut direction = Direction::default();
        assert_eq!(place(&mut direction, u32::MAX - 5, 10), (Place::IN_ORDER, 0));
        assert_eq!(place(&mut direction, 4, 10), (Place::IN_ORDER, 0));
        assert_eq!(direction.bytes, 20);
    }

    #[test]
    fn repeated_and_partly_repeated() {
        let mut direction = Direction::default();
        place(&mut direction, 100, 50);
        assert_eq!(place(&mut direction, 100, 50), (Place::REPEATED, 0));
        assert_eq!(place(&mut direction, 120, 60), (Place::IN_ORDER, 30));
        assert_eq!(direction.next, 180);
        assert_eq!(direction.bytes, 80);
    }

    #[test]
    fn one_stretch_ahead_closes_its_gap() {
        let mut direction = Direction::default();
        place(&mut direction, 100, 10);
        assert_eq!(place(&mut direction, 120, 10), (Place::AHEAD, 0));
        assert_eq!(place(&mut direction, 130, 10), (Place::AHEAD, 0));
        assert_eq!(place(&mut direction, 125, 5), (Place::REPEATED, 0));
        assert_eq!(place(&mut direction, 110, 10), (Place::IN_ORDER, 0));
        assert_eq!(place(&mut direction, 140, 10), (Place::IN_ORDER, 0));
    }

    #[test]
    fn a_turn_ends_the_wait_for_bytes_seen_elsewhere() {
        let mut direction = Direction::default();
        direction.start(1);
        // The first 99 bytes arrived at the listener.
        assert_eq!(direction.place(100, 50, true, Start::NOTHING).kind, Place::AHEAD);
        assert_eq!(direction.place(150, 50, true, Start::NOTHING).kind, Place::IN_ORDER);
    }
}
