//! Finding the empty line that ends a head, eight bytes at a time and without a branch per byte.
//!
//! A head ends with a line feed that follows another one, with at most a carriage return between them. Per word, one bit a
//! byte marks line feeds and carriage returns; shifted against each other these masks show the end. It costs the kernel's
//! verifier one path and a long head about 20 instructions per eight bytes.

/// What is carried from one segment to the next: what the last two bytes of a head so far were.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadEnd {
    carry: u64,
}

const LAST_IS_FEED: u64 = 1;
const ONE_BEFORE_IS_FEED: u64 = 2;
const LAST_IS_RETURN: u64 = 4;

/// The marks of the word before.
#[derive(Clone, Copy)]
struct Marks {
    feeds: u64,
    returns: u64,
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;

impl HeadEnd {
    /// Nothing of the head was seen.
    pub const fn new() -> Self {
        Self { carry: 0 }
    }

    #[inline(always)]
    const fn marks(self) -> Marks {
        Marks {
            feeds: ((self.carry & LAST_IS_FEED) << 63) | ((self.carry & ONE_BEFORE_IS_FEED) << 54),
            returns: (self.carry & LAST_IS_RETURN) << 61,
        }
    }
}

impl Marks {
    /// Of what the last two bytes were.
    #[inline(always)]
    const fn carry(self) -> HeadEnd {
        let feeds = (self.feeds >> 63) | ((self.feeds >> 54) & ONE_BEFORE_IS_FEED);
        HeadEnd { carry: feeds | ((self.returns >> 61) & LAST_IS_RETURN) }
    }

    /// Takes the eight bytes of `word`, first byte lowest. Returns how many of them belong to the head when it ends here,
    /// else 0.
    #[inline(always)]
    const fn take(&mut self, word: u64) -> u32 {
        let feeds = equal(word, b'\n');
        let returns = equal(word, b'\r');
        let feed_before = (feeds << 8) | (self.feeds >> 56);
        let feed_two_before = (feeds << 16) | (self.feeds >> 48);
        let return_before = (returns << 8) | (self.returns >> 56);
        let ends = feeds & (feed_before | (return_before & feed_two_before));
        self.feeds = feeds;
        self.returns = returns;
        if ends == 0 {
            return 0;
        }
        let first = ends & ends.wrapping_neg();
        (((first.wrapping_sub(1) & LOW).wrapping_mul(LOW)) >> 56) as u32
    }

    /// The same for a word of which only the first `valid` bytes (1 to 7) belong to the stream; the others must be 0.
    #[inline(always)]
    const fn take_part(&mut self, word: u64, valid: u32) -> u32 {
        let before = self.feeds;
        let end = self.take(word);
        // The last valid byte moves to the highest place, where the next word expects it.
        let shift = 64 - 8 * valid;
        self.feeds = (self.feeds << shift) | (before >> (8 * valid));
        self.returns <<= shift;
        end
    }
}

/// The highest bit of each byte that equals `byte`.
#[inline(always)]
const fn equal(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (LOW * byte as u64);
    let low = (zero_where_equal & !HIGH).wrapping_add(!HIGH);
    !(low | zero_where_equal | !HIGH)
}

/// Scans `length` bytes in `words` for the end of a head. Returns how many of them belong to the head when it ends here,
/// else 0. Bytes of the last word after `length` must be 0.
///
/// # Safety
///
/// `words` must be readable for `max_words` words, a power of two, and `length` be at most `8 * max_words`.
#[inline(always)]
pub unsafe fn scan_words(state: &mut HeadEnd, words: *const u64, max_words: u32, length: u32) -> u32 {
    let full = length / 8;
    let mut marks = state.marks();
    let mut i = 0;
    while i < max_words && i < full {
        let mut next = marks;
        // SAFETY: i < max_words.
        if next.take(u64::from_le(unsafe { words.add(i as usize).read() })) != 0 {
            break;
        }
        marks = next;
        i += 1;
    }
    if 8 * i >= length {
        *state = marks.carry();
        return 0;
    }
    // The word with the end, or the last one. A mask instead of a comparison: the compiler may compare one register and use
    // another.
    let i = forget(&mut state.carry, i) & (max_words - 1);
    // SAFETY: i < max_words.
    let word = u64::from_le(unsafe { words.add(i as usize).read() });
    let left = length.wrapping_sub(8 * i);
    let end = if left >= 8 { marks.take(word) } else { marks.take_part(word, left) };
    *state = marks.carry();
    if end == 0 { 0 } else { 8 * i + end }
}

/// Scans bytes anywhere, as [`scan_words`] does. For tests and models.
pub fn scan_bytes(state: &mut HeadEnd, bytes: &[u8]) -> u32 {
    let mut begin = 0;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_ne_bytes(word);
        // SAFETY: one word.
        let end = unsafe { scan_words(state, &raw const word, 1, chunk.len() as u32) };
        if end != 0 {
            return begin + end;
        }
        begin += chunk.len() as u32;
    }
    0
}

/// Overwrites the bytes from `begin` to `end` with zeros: they belong to a body.
///
/// # Safety
///
/// `words` must be writable for `max_words` words, a power of two, and `begin` be at most `end`, and that at most
/// `8 * max_words`.
#[inline(always)]
pub unsafe fn wipe_words(words: *mut u64, max_words: u32, begin: u32, end: u32) {
    if begin >= end {
        return;
    }
    let first = (begin / 8) & (max_words - 1);
    let kept = u64::to_le((1 << (8 * (begin % 8))) - 1);
    // SAFETY: first < max_words.
    unsafe { *words.add(first as usize) &= kept };
    let mut i = 1;
    while i < max_words {
        let at = first + i;
        if 8 * at >= end {
            return;
        }
        // SAFETY: masked.
        unsafe { words.add((at & (max_words - 1)) as usize).write(0) };
        i += 1;
    }
}

/// The same number, of which the kernel's verifier knows nothing any more: it need not look at what follows once for each
/// value. `place` is memory whose contents it does not follow.
#[inline(always)]
fn forget(place: &mut u64, value: u32) -> u32 {
    // SAFETY: a plain reference.
    unsafe {
        core::ptr::write_volatile(place, u64::from(value));
        core::ptr::read_volatile(place) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::{HeadEnd, scan_bytes, scan_words, wipe_words};

    fn scan(state: &mut HeadEnd, bytes: &[u8]) -> u32 {
        let mut words: Vec<u64> = Vec::new();
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            words.push(u64::from_ne_bytes(word));
        }
        words.resize(words.len().next_power_of_two(), 0);
        // SAFETY: there are as many words as said, and they hold all of the bytes.
        unsafe { scan_words(state, words.as_ptr(), words.len() as u32, bytes.len() as u32) }
    }

    /// The same by the plain rule.
    fn plain(bytes: &[u8]) -> Option<usize> {
        (1..bytes.len()).find_map(|i| {
            let ends = bytes[i] == b'\n' && (bytes[i - 1] == b'\n' || (i > 1 && bytes[i - 2..i] == *b"\n\r"));
            ends.then_some(i + 1)
        })
    }

    #[test]
    fn ends_of_heads() {
        assert_eq!(scan(&mut HeadEnd::new(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n"), 27);
        assert_eq!(scan(&mut HeadEnd::new(), b"GET / HTTP/1.1\nHost: a\n\n"), 24);
        assert_eq!(scan(&mut HeadEnd::new(), b"GET / HTTP/1.1\r\nHost: a\r\n"), 0);
    }

    #[test]
    fn wiping_keeps_the_head() {
        for begin in 0..40_u32 {
            for end in begin..40 {
                let mut words = [u64::MAX; 8];
                // SAFETY: eight words.
                unsafe { wipe_words(words.as_mut_ptr(), 8, begin, end) };
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
                assert!(bytes[..begin as usize].iter().all(|byte| *byte == 0xff), "{begin} {end}");
                assert!(bytes[begin as usize..end as usize].iter().all(|byte| *byte == 0), "{begin} {end}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_end(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()], 1..100),
            cuts in proptest::collection::vec(1_usize..20, 0..20),
        ) {
            let mut state = HeadEnd::new();
            let mut begin = 0;
            let mut found = None;
            let mut cuts = cuts.into_iter();
            while begin < bytes.len() && found.is_none() {
                let end = cuts.next().map_or(bytes.len(), |cut| bytes.len().min(begin + cut));
                let mut same = state;
                let at = scan(&mut state, &bytes[begin..end]);
                prop_assert_eq!(at, scan_bytes(&mut same, &bytes[begin..end]));
                prop_assert!(at != 0 || state == same);
                if at != 0 {
                    found = Some(begin + at as usize);
                }
                begin = end;
            }
            prop_assert_eq!(found, plain(&bytes));
        }
    }
}
