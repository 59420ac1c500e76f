//! Flows and exchanges: events in, records out. Pure: no socket, no clock, no task.
//!
//! An event's way: [`FlowTable::push`] finds the connection; a [`stream`] puts payload in order; a [`framer`] cuts it into
//! messages by their framing; an [`exchange`] pairs request and answer; [`threads`] tell for whom a thread dialled or sent.
//!
//! What is exact, and what is not:
//!
//! - Content-Length, bodiless answers (HEAD, 1xx, 204, 304) and bodies that end with the connection are exact.
//! - Bodies never leave the kernel, so chunks are not counted. A chunked body ends where the kernel saw `\r\n0\r\n\r\n` at
//!   the end of a segment (also when it is split over segments). With trailers behind the last chunk it ends with the last
//!   byte before the next request, or stays incomplete when the connection ends first.
//! - A pipelined message that begins in the middle of a segment behind a body is not seen: the rest of that connection is
//!   `Unparsed` until a message begins at a segment's start.

mod address;
mod calls;
mod config;
mod connection;
mod counters;
mod exchange;
mod finish;
mod framer;
mod head;
mod lifecycle;
mod listener;
mod payload;
mod seen;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod trace_parent;

pub use config::FlowConfig;
pub use counters::FlowCounters;
pub use seen::{Output, Seen, Side};
pub use table::FlowTable;
