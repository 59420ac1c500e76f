//! Finding the empty line that ends a head, eight bytes at a time and without a branch per byte.
//!
//! A head ends with a line feed that follows another one, with at most a carriage return between them. Per word, one bit a
//! byte marks line feeds and carriage returns; shifted against each other these masks show the end. It costs the kernel's
//! verifier one path and a long head about 20 instructions per eight bytes.

/// What is carried from one word, or from one segment, to the next: the last two bytes of a head so far.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadEnd {
    feeds: u64,
    returns: u64,
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;

impl HeadEnd {
    /// Nothing of the head was seen.
    pub const fn new() -> Self {
        Self { feeds: 0, returns: 0 }
    }

    /// Takes the eight bytes of `word`, first byte lowest. Returns how many of them belong to the head when it ends here,
    /// else 0.
    #[inline(always)]
    pub const fn take(&mut self, word: u64) -> u32 {
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
    pub const fn take_part(&mut self, word: u64, valid: u32) -> u32 {
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
    let mut now = *state;
    let full = length / 8;
    let mut i = 0;
    while i < max_words {
        if i >= full {
            break;
        }
        // SAFETY: i < max_words.
        let end = now.take(u64::from_le(unsafe { words.add(i as usize).read() }));
        if end != 0 {
            return 8 * i + end;
        }
        i += 1;
    }
    let rest = length % 8;
    let mut end = 0;
    if rest != 0 {
        // A mask instead of a comparison: the compiler may compare one register and use another.
        let at = (full & (max_words - 1)) as usize;
        // SAFETY: at < max_words.
        end = now.take_part(u64::from_le(unsafe { words.add(at).read() }), rest);
        if end != 0 {
            end += 8 * full;
        }
    }
    *state = now;
    end
}

/// Overwrites the bytes from `begin` to `end` with zeros: they belong to a body.
///
/// # Safety
///
/// `words` must be writable for `max_words` words.
#[inline(always)]
pub unsafe fn wipe_words(words: *mut u64, max_words: u32, begin: u32, end: u32) {
    let mut i = 0;
    while i < max_words {
        let at = 8 * i;
        if at >= end {
            return;
        }
        if at >= begin {
            // SAFETY: i < max_words.
            unsafe { words.add(i as usize).write(0) };
        } else if at + 8 > begin {
            let kept = u64::to_le(!(u64::MAX << (8 * (begin - at))));
            // SAFETY: as above.
            unsafe { *words.add(i as usize) &= kept };
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::{HeadEnd, scan_words, wipe_words};

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
                let mut words = [u64::MAX; 5];
                // SAFETY: five words.
                unsafe { wipe_words(words.as_mut_ptr(), 5, begin, end) };
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
                let at = scan(&mut state, &bytes[begin..end]);
                if at != 0 {
                    found = Some(begin + at as usize);
                }
                begin = end;
            }
            prop_assert_eq!(found, plain(&bytes));
        }
    }
}
