//! What travels through the ring buffer, and the names of the counters beside it.
//!
//! Every type is `repr(C)` with explicit padding and a size that is asserted: no `bool`, no `Option`, no enum, because the
//! kernel writes these bytes and the agent only finds them. [`Event::decode`] turns a record into a checked value.
//!
//! The records of the one ring buffer are in the order in which they were *reserved*. As each hook reserves before it
//! returns, cause stands before effect: a segment before the call that read it, a thread's calls in the order they were made.

mod bytes;
mod call;
mod counter;
mod event;
mod header;
mod lifecycle;
mod segment;
mod tuple;

pub use bytes::Wire;
pub use call::Call;
pub use counter::Counter;
pub use event::Event;
pub use header::{Header, Kind};
pub use lifecycle::{Open, State};
pub use segment::{Body, LARGE_CAPTURE, SMALL_CAPTURE, Segment, SegmentFlags};
pub use tuple::Tuple;
