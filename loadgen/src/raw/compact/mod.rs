//! Requests and records as they are kept while a report is made.
//!
//! A request has about seven records, and a run of a million requests as many millions of them. As they travel they hold names, addresses
//! and the same times over and over: some 10 kB for each request. Here each name and host is kept once and is a number everywhere
//! else, what many records have in common is kept once as well, times are distances, and what no later step reads is not kept. Nothing is rounded: every time is exact to the nanosecond.

mod address;
mod cookies;
mod kinds;
mod maybe;
mod near;
mod numbers;
mod records;
mod requests;
mod rows;
mod text;

pub use address::Address;
pub(crate) use kinds::{ConnectionKind, ExchangeKind, TranslationKind};
pub use maybe::Maybe;
pub(crate) use numbers::Numbers;
pub(crate) use records::Mention;
pub use records::Records;
pub use requests::{Request, Requests};
pub use rows::{Call, Nat};
pub(crate) use rows::{ConnectionRow, ExchangeRow, StopRow, Trace, TranslationRow};
pub(super) use text::Text;
