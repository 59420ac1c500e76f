//! The id that follows a request through every hop: run id and sequence number in a W3C `traceparent`.

use std::fmt;
use std::str::FromStr;

/// Id of a run: the first half of the trace id of each of its requests. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId(u64);

impl RunId {
    /// A new one, by chance.
    pub fn random() -> Self {
        Self(rand::random::<u64>().max(1))
    }

    /// Trace id of a request: 32 lower-case hex digits.
    pub fn trace_id(self, seq: u64) -> String {
        format!("{:016x}{seq:016x}", self.0)
    }

    /// Header value of a request: version 00, trace id, span id, flags 01 (sampled).
    ///
    /// The span id must not be zero, and `seq` starts there.
    pub fn traceparent(self, seq: u64) -> String {
        format!("00-{:016x}{seq:016x}-{:016x}-01", self.0, seq.wrapping_add(1).max(1))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Not 16 lower-case hex digits, or zero.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a run id: 16 lower-case hex digits, not all zero")]
pub struct RunIdError(String);

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match u64::from_str_radix(text, 16) {
            Ok(id) if hex && id != 0 => Ok(Self(id)),
            _ => Err(RunIdError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_request_has_a_valid_traceparent() {
        let id: RunId = "00000000deadbeef".parse().unwrap();
        assert_eq!(id.traceparent(0), "00-00000000deadbeef0000000000000000-0000000000000001-01");
        assert_eq!(id.trace_id(255), "00000000deadbeef00000000000000ff");
    }

    #[test]
    fn zero_and_upper_case_are_refused() {
        assert!("0000000000000000".parse::<RunId>().is_err());
        assert!("00000000DEADBEEF".parse::<RunId>().is_err());
        assert!("+000000deadbeef0".parse::<RunId>().is_err());
    }
}
