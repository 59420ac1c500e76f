//! Whether a payload ends with the last chunk of a chunked body, without its bytes leaving the kernel.

/// The last eight bytes of a stream, the newest lowest.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastChunk {
    tail: u64,
}

const END: u64 = u64::from_be_bytes(*b"\0\r\n0\r\n\r\n");
const SEVEN_BYTES: u64 = 0x00ff_ffff_ffff_ffff;

impl LastChunk {
    /// No byte was seen.
    pub const fn new() -> Self {
        Self { tail: 0 }
    }

    /// Takes the last `count` bytes (1 to 8) of a segment, the first of them highest, and says whether the stream now ends
    /// with `\r\n0\r\n\r\n`.
    #[inline(always)]
    pub const fn take(&mut self, bytes: u64, count: u32) -> bool {
        self.tail = if count >= 8 { bytes } else { (self.tail << (8 * count)) | bytes };
        self.tail & SEVEN_BYTES == END
    }

    /// Forgets the bytes: some were missed.
    #[inline(always)]
    pub const fn reset(&mut self) {
        self.tail = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::LastChunk;

    fn take(state: &mut LastChunk, segment: &[u8]) -> bool {
        let last = &segment[segment.len().saturating_sub(8)..];
        let bytes = last.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
        state.take(bytes, last.len() as u32)
    }

    #[test]
    fn whole_and_split() {
        assert!(take(&mut LastChunk::new(), b"5\r\nhello\r\n0\r\n\r\n"));
        let mut state = LastChunk::new();
        for byte in b"5\r\nhello\r\n0\r\n\r" {
            assert!(!take(&mut state, &[*byte]));
        }
        assert!(take(&mut state, b"\n"));
    }

    #[test]
    fn an_empty_body_ends_right_behind_the_head() {
        let mut state = LastChunk::new();
        assert!(!take(&mut state, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(take(&mut state, b"0\r\n\r\n"));
    }

    #[test]
    fn a_longer_number_is_no_end() {
        assert!(!take(&mut LastChunk::new(), b"\r\n10\r\n\r\n"));
    }
}
