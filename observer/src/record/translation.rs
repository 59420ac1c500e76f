//! A client's connection to the gateway's Service as conntrack saw it.
//!
//! Most of these have a [`super::Connection`] at the gateway as well. Those that have none are what is left of clients'
//! attempts at a gateway pod that was gone.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Nat;

/// A new conntrack entry towards the gateway's Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Translation<S = String> {
    /// Node name.
    pub node: S,
    /// The client as it arrived at the node.
    pub client: SocketAddr,
    /// Where it was sent; `nat.source_seen` is the client as the gateway pod sees it.
    pub nat: Nat<S>,
}
