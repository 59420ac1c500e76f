//! The address translation of one connection: what was dialled, and which backend was chosen.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PodRef;

/// The DNAT choice that applied to a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nat<S = String> {
    /// Destination as dialled (a Service's cluster address, or `node:nodePort`).
    pub dialled: SocketAddr,
    /// Destination after translation: the backend's address.
    pub chosen: SocketAddr,
    /// Source after translation, as the backend sees it (differs where masqueraded).
    pub source_seen: SocketAddr,
    /// Pod that owned the chosen address when the entry was made (tombstones included).
    pub pod: Option<PodRef<S>>,
    /// When the conntrack entry that applied was made.
    pub created_ns: u64,
    /// How we know.
    pub source: NatSource,
    /// Entries that this very connection made; the fields above are the last one's. More than one: its SYN met the end of an
    /// earlier connection, and the rules chose again when it was repeated. 0: none was seen to be made.
    #[serde(default)]
    pub entries: u32,
    /// An older entry took the first SYN, and had ended when it was repeated: the rules were consulted for the repetition only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired: Option<Box<ExpiredEntry<S>>>,
}

/// An entry older than a connection whose first SYN it took along, to where an earlier connection had gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpiredEntry<S = String> {
    /// Where it led.
    pub chosen: SocketAddr,
    /// Pod that owned that address when it was made.
    pub pod: Option<PodRef<S>>,
    /// When it was made.
    pub created_ns: u64,
}

/// Where a [`Nat`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatSource {
    /// A conntrack NEW event of this very connection; where that did not come, the kernel's answer when it was asked for the entry.
    New,
    /// An entry older than the connection: its source port was re-used before the entry ended, so no rule was
    /// consulted and the packet went where the *earlier* connection had gone.
    Reused,
    /// Read from a dump of the table (the agent started later than the entry, or events had been lost).
    Dump,
    /// The socket itself dialled the pod: no translation.
    Direct,
}
