//! The raw files of a run: everything the report is made from, and nothing else.
//!
//! | file in `raw/` | one value per | type |
//! |---|---|---|
//! | `run.json` | run | [`RunFile`] |
//! | `client.ndjson.gz` | request sent | [`ClientRequest`] |
//! | `lags.ndjson.gz` | time in which the load generator did not run | [`Lag`] |
//! | `timeline.ndjson` | change in the cluster, action of ours | [`TimelineEntry`] |
//! | `records-NODE.ndjson.gz` | connection or exchange seen by the agent of a node | [`observer::record::Record`] |
//! | `observer-NODE.json` | node | [`ObserverFile`] |
//!
//! `docs/raw-files.md` describes them for readers of other languages. All times are nanoseconds of the load generator's `CLOCK_MONOTONIC`, except in `records-NODE.ndjson.gz`, which keep
//! the node's clock: [`ObserverFile::clock`] holds the offset and its error bound.

mod client;
pub mod compact;
mod lag;
mod lines;
mod observer_file;
pub mod pack;
pub mod quantity;
pub mod read;
mod run;
pub mod scaling;
mod timeline;
pub mod write;

/// Format of the raw files that this version writes, as `run.json` says in `schema_version`; earlier ones are still read.
///
/// 1: all files plain. 2: `client` and `records` packed.
pub const FORMAT: u32 = 2;

pub use client::{ClientError, ClientErrorKind, ClientRequest};
pub use compact::{Records, Request, Requests};
pub use lag::Lag;
pub use observer_file::{ClockOffset, ObserverFile};
pub use read::{RawRun, read_run};
pub use run::{EndedBy, Environment, GooseCheck, RunConfig, RunFile, Schedule, ShardFile};
pub use timeline::{ContainerState, Endpoint, Subject, TimelineEntry};
