//! HTTP/1.x as far as the kernel needs it: where a message head may begin, where it ends, and which bytes are new.
//!
//! The kernel only *proposes*: it hands on what may be a head and keeps bodies to itself. Framing (what is a message, and
//! whose) is decided by the agent, which sees sequence numbers and lengths of everything.

mod direction;
mod head_end;
mod last_chunk;
mod socket;
mod start;

pub use direction::{Direction, Place};
pub use head_end::{HeadEnd, scan_bytes, scan_words, wipe_words};
pub use last_chunk::LastChunk;
pub use socket::{Owner, Socket};
pub use start::{Start, is_switching_protocols};
