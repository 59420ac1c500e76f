//! What the flow table hands on: records that still lack what only the cluster knows.

use crate::record::{Connection, Exchange};

/// Which end of a connection a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It called `connect()`.
    Client,
    /// It was accepted.
    Server,
}

/// One record, with what is needed to find its pod and its NAT entry. In `record`, `node`, `hop`, `pod`, `pod_source` and
/// `nat` are still unset ([`crate::record::Hop::Other`], `None`, empty).
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<R> {
    /// The record so far.
    pub record: R,
    /// Which end the socket is.
    pub side: Side,
    /// Inode of the socket's cgroup2 directory. 0: unknown.
    pub cgroup_id: u64,
    /// Network namespace cookie. 0: unknown (kernels before 6.18 in some hooks).
    pub netns: u64,
    /// The request names itself a kubelet probe (`User-Agent: kube-probe/`).
    pub probe: bool,
}

/// What the flow table emits.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A connection ended.
    Connection(Seen<Connection>),
    /// An exchange ended.
    Exchange(Seen<Exchange>),
}
