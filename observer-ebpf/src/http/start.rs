//! What the first bytes of a payload may be.

/// What the first bytes of a payload may be.
pub struct Start;

impl Start {
    /// No head of a message.
    pub const NOTHING: u32 = 0;
    /// Upper-case letters only: possibly the beginning of a method or of `HTTP/1.`.
    pub const POSSIBLE: u32 = 1;
    /// A known method and a space.
    pub const REQUEST: u32 = 2;
    /// `HTTP/1.`
    pub const RESPONSE: u32 = 3;
    /// The HTTP/2 client preface.
    pub const HTTP2: u32 = 4;

    /// Judges the first `available` bytes (at most 8 count) in `word`, first byte lowest; bytes that are not there are 0.
    #[inline(always)]
    pub const fn of(word: u64, available: u32) -> u32 {
        if is(word, b"HTTP/1.") {
            return Self::RESPONSE;
        }
        if is(word, b"PRI * HT") {
            return Self::HTTP2;
        }
        if is(word, b"GET ")
            || is(word, b"POST ")
            || is(word, b"PUT ")
            || is(word, b"HEAD ")
            || is(word, b"DELETE ")
            || is(word, b"PATCH ")
            || is(word, b"OPTIONS ")
            || is(word, b"CONNECT ")
            || is(word, b"TRACE ")
        {
            return Self::REQUEST;
        }
        // The shortest method has three letters; fewer bytes may still become one.
        if is_letter(word, 0) && (available < 2 || is_letter(word, 1)) && (available < 3 || is_letter(word, 2)) {
            return Self::POSSIBLE;
        }
        Self::NOTHING
    }
}

/// Whether a head that starts with `HTTP/1.` says `101`. `second` holds its bytes 8 to 15.
#[inline(always)]
pub const fn is_switching_protocols(second: u64) -> bool {
    is(second, b" 101")
}

#[inline(always)]
const fn is(word: u64, text: &[u8]) -> bool {
    let mut value = 0;
    let mut mask = 0;
    let mut i = 0;
    while i < text.len() {
        value |= (text[i] as u64) << (8 * i);
        mask |= 0xff << (8 * i);
        i += 1;
    }
    word & mask == value
}

#[inline(always)]
const fn is_letter(word: u64, place: u32) -> bool {
    let byte = (word >> (8 * place)) & 0xff;
    byte >= b'A' as u64 && byte <= b'Z' as u64
}

#[cfg(test)]
mod tests {
    use super::{Start, is_switching_protocols};

    fn of(text: &[u8]) -> u32 {
        let mut word = [0; 8];
        let n = text.len().min(8);
        word[..n].copy_from_slice(&text[..n]);
        Start::of(u64::from_le_bytes(word), text.len() as u32)
    }

    #[test]
    fn methods_and_status_lines() {
        for method in ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"] {
            assert_eq!(of(std::format!("{method} / HTTP/1.1\r\n").as_bytes()), Start::REQUEST, "{method}");
        }
        assert_eq!(of(b"HTTP/1.1 200 OK"), Start::RESPONSE);
        assert_eq!(of(b"HTTP/1.0 200 OK"), Start::RESPONSE);
        assert_eq!(of(b"PRI * HTTP/2.0\r\n"), Start::HTTP2);
    }

    #[test]
    fn beginnings_of_heads_are_possible() {
        for part in ["G", "GE", "GET", "H", "HTTP", "HTTP/1", "PROPFIND / HTTP/1.1", "P"] {
            assert_eq!(of(part.as_bytes()), Start::POSSIBLE, "{part}");
        }
    }

    #[test]
    fn other_bytes_are_nothing() {
        for other in [&b"\x16\x03\x01\x02"[..], b"{\"a\":1}", b"get / HTTP/1.1", b"\x00", b"A1", b"ok", b" GET / "] {
            assert_eq!(of(other), Start::NOTHING, "{other:?}");
        }
    }

    #[test]
    fn switching_protocols() {
        assert!(is_switching_protocols(u64::from_le_bytes(*b" 101 Swi")));
        assert!(!is_switching_protocols(u64::from_le_bytes(*b" 200 OK\r")));
    }
}
