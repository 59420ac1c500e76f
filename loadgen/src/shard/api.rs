//! What travels between a shard and whoever started it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::Shard;
use crate::load::client::ClientSettings;
use crate::load::counters::Snapshot;
use crate::raw::{GooseCheck, Schedule};

/// What to send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// 16 lower-case hex digits.
    pub run_id: String,
    /// The whole URL.
    pub url: String,
    /// The whole schedule.
    pub schedule: Schedule,
    /// Which part of it.
    pub shard: Shard,
    /// Most requests in flight at this shard.
    pub workers: u32,
    /// When ticket 0 is due, by the shard's own clock.
    pub start_ns: u64,
    /// See [`ClientSettings`].
    pub connect_timeout_ms: u64,
    /// See [`ClientSettings`].
    pub timeout_ms: u64,
    /// See [`ClientSettings`].
    pub keep_alive: bool,
    /// See [`ClientSettings`].
    pub tls: bool,
}

impl Order {
    /// The settings of its clients.
    pub fn client(&self) -> ClientSettings {
        ClientSettings {
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            timeout: Duration::from_millis(self.timeout_ms),
            keep_alive: self.keep_alive,
            tls: self.tls,
        }
    }
}

/// How far a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has no order yet.
    Waiting,
    /// It sends, or waits for the first request to be due.
    Sending,
    /// Its last request has ended, and all records are written.
    Ended,
}

/// A shard's own account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// How far it is.
    pub state: State,
    /// Counts so far.
    pub counts: Snapshot,
    /// Records that did not fit into the channel.
    pub records_dropped: u64,
    /// goose's own counts, at the end.
    pub goose: Option<GooseCheck>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Last line of the records: how to tell a whole answer from a cut one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsEnd {
    /// Lines before this one.
    pub records_before: u64,
}
