//! What the agent saw, one value per thing: a [`Connection`], an [`Exchange`] on it.
//!
//! All times are nanoseconds of the node's `CLOCK_MONOTONIC`. `None` means "not measured", never zero.
//! Records travel as NDJSON, one [`Record`] a line; the tag `record` names the kind.

mod connection;
mod exchange;
mod nat;
mod pod;
mod pressure;
mod throttling;
mod translation;

pub use connection::{Close, Connection, Outcome, SocketCall, SocketCallKind};
pub use exchange::{Exchange, ExchangeEnd};
pub use nat::{ExpiredEntry, Nat, NatSource};
pub use pod::{PodRef, PodSource};
pub use pressure::{PRESSURE_LEAST_PART, Pressure};
pub use throttling::Throttling;
pub use translation::Translation;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where on a request's way a socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// The gateway's accepted socket: client → gateway.
    Front,
    /// The gateway's own connection: gateway → Service (or straight to a pod).
    Upstream,
    /// The serving pod's accepted socket.
    Pod,
    /// A watched port, but neither a gateway's nor a serving pod's socket (a kubelet, a debug pod).
    Other,
}

/// One line of a records file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A connection that has ended, or was still open when the run was closed.
    Connection(Connection),
    /// One HTTP request and its answer on a connection, at one hop.
    Exchange(Exchange),
    /// A connection to the gateway's Service, as the node translated it; also of one that no socket ever answered.
    Translation(Translation),
    /// A pod's CPU limit kept it from running.
    Throttling(Throttling),
    /// A pod ran, or had work and no CPU.
    Pressure(Pressure),
}
