//! One direction's payload, put in order by sequence number.

/// Pieces kept while something before them is missing.
const MAX_AHEAD: usize = 256;

/// Consecutive payload bytes. The first of them may be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Position of its first byte in the stream.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// The first of them.
    pub(super) data: &'a [u8],
    /// When its last segment passed. `None`: it was not seen.
    pub(super) at_ns: Option<u64>,
    /// It ends with the last chunk of a chunked body.
    pub(super) last_chunk: bool,
}

#[derive(Clone, Debug)]
struct Waiting {
    offset: u64,
    length: u64,
    data: Vec<u8>,
    at_ns: u64,
    last_chunk: bool,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Sequence number of offset 0.
    base: Option<u32>,
    /// Everything before this offset was handed on.
    next: u64,
    waiting: Vec<Waiting>,
}

impl Stream {
    /// The stream begins at this sequence number (known from the handshake).
    pub(super) fn begin(&mut self, seq: u32) {
        self.base.get_or_insert(seq);
    }

    /// Everything before this offset was handed on.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Something is missing before what waits.
    pub(super) fn has_gap(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes payload and hands on what is in order now. Returns false when too much waits: the caller should give up the
    /// missing bytes.
    pub(super) fn insert(&mut self, seq: u32, piece: Piece<'_>, each: &mut impl FnMut(Piece<'_>)) -> bool {
        let base = *self.base.get_or_insert(seq);
        let distance = seq.wrapping_sub(base.wrapping_add(self.next as u32)) as i32;
        let Some(offset) = self.next.checked_add_signed(i64::from(distance)) else {
            return true; // before the stream's beginning: seen by others
        };
        let piece = Piece { offset, ..piece };
        if offset > self.next {
            self.waiting.push(Waiting {
                offset,
                length: piece.length,
                data: piece.data.to_vec(),
                at_ns: piece.at_ns.unwrap_or(0),
                last_chunk: piece.last_chunk,
            });
            return self.waiting.len() < MAX_AHEAD;
        }
        self.hand_on(piece, each);
        self.hand_on_waiting(each);
        true
    }

    /// Gives up the missing bytes before what waits; they are handed on as a piece that was not seen. Returns how many.
    pub(super) fn give_up_gap(&mut self, each: &mut impl FnMut(Piece<'_>)) -> u64 {
        let Some(offset) = self.waiting.iter().map(|waiting| waiting.offset).min() else { return 0 };
        let missing = offset - self.next;
        let gap = Piece { offset: self.next, length: missing, data: &[], at_ns: None, last_chunk: false };
        self.next = offset;
        each(gap);
        self.hand_on_waiting(each);
        missing
    }

    fn hand_on_waiting(&mut self, each: &mut impl FnMut(Piece<'_>)) {
        while let Some(index) = self.waiting.iter().position(|waiting| waiting.offset <= self.next) {
            let waiting = self.waiting.swap_remove(index);
            self.hand_on(
                Piece {
                    offset: waiting.offset,
                    length: waiting.length,
                    data: &waiting.data,
                    at_ns: Some(waiting.at_ns),
                    last_chunk: waiting.last_chunk,
                },
                each,
            );
        }
    }

    /// Hands on the part that is new.
    fn hand_on(&mut self, piece: Piece<'_>, each: &mut impl FnMut(Piece<'_>)) {
        let end = piece.offset + piece.length;
        if end <= self.next {
            return;
        }
        let known = (self.next - piece.offset) as usize;
        let offset = self.next;
        self.next = end;
        each(Piece { offset, length: end - offset, data: piece.data.get(known..).unwrap_or_default(), ..piece });
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Stream};

    fn insert(stream: &mut Stream, seq: u32, data: &[u8], out: &mut Vec<u8>) {
        let piece = Piece { offset: 0, length: data.len() as u64, data, at_ns: Some(1), last_chunk: false };
        stream.insert(seq, piece, &mut |piece| {
            assert_eq!(piece.offset, out.len() as u64);
            out.extend_from_slice(piece.data);
        });
    }

    #[test]
    fn order_repeats_and_the_wrap() {
        let mut stream = Stream::default();
        let begin = u32::MAX - 3;
        stream.begin(begin);
        let mut out = Vec::new();
        insert(&mut stream, begin.wrapping_add(6), b"ghi", &mut out);
        insert(&mut stream, begin.wrapping_add(3), b"def", &mut out);
        insert(&mut stream, begin, b"abcde", &mut out);
        insert(&mut stream, begin.wrapping_add(2), b"cdefghijk", &mut out);
        insert(&mut stream, begin, b"abc", &mut out);
        assert_eq!(out, b"abcdefghijk");
        assert!(!stream.has_gap());
    }

    #[test]
    fn a_gap_is_told() {
        let mut stream = Stream::default();
        stream.begin(0);
        let piece = Piece { offset: 0, length: 2, data: b"cd", at_ns: Some(5), last_chunk: false };
        stream.insert(2, piece, &mut |_| panic!("nothing is in order"));
        let mut seen = Vec::new();
        assert_eq!(stream.give_up_gap(&mut |piece| seen.push((piece.offset, piece.length, piece.at_ns))), 2);
        assert_eq!(seen, [(0, 2, None), (2, 2, Some(5))]);
    }
}
