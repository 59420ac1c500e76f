//! What belongs to one node. There is one today; nothing outside this file says so.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;

/// The network namespace from which the cluster is used, as from a machine next to the node.
pub const CLIENT_NAMESPACE: &str = "pw-client";
/// The client's address on the segment it shares with the nodes.
pub const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Length of the prefix of that segment.
pub(crate) const LAN_PREFIX: u8 = 24;
/// The cgroup that holds everything of ours, in every hierarchy. Its name does not begin with `pod`: programs that look
/// for pods by their cgroups take `pod…` for one.
pub(crate) const CGROUP: &str = "pw-cluster";

/// One node: its names, addresses and places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 0 for the first node, which also runs the control plane.
    pub index: u8,
    /// Addresses of the pods on this node.
    pub pod_subnet: Ipv4Net,
}

impl Node {
    /// The node's name in Kubernetes, and of its network namespace.
    pub fn name(&self) -> String {
        format!("pw-node{}", self.index)
    }

    /// The node's address on the segment it shares with the client.
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 0, 2 + self.index)
    }

    /// The node's end of the link.
    pub(crate) fn link(&self) -> String {
        format!("n{}", self.index)
    }

    /// The client's end of the link.
    pub(crate) fn client_link(&self) -> String {
        format!("c{}", self.index)
    }

    /// The node's cgroup, relative to the root of a hierarchy; pods are in `kubepods` below it.
    pub fn cgroup(&self) -> String {
        format!("{CGROUP}/node{}", self.index)
    }

    /// The cgroup of the node's daemons.
    pub(crate) fn system_cgroup(&self) -> String {
        format!("{}/system", self.cgroup())
    }

    /// The node's files.
    pub(crate) fn dir(&self, root: &Path) -> PathBuf {
        root.join(format!("node{}", self.index))
    }
}

/// Where a named network namespace is mounted.
pub(crate) fn namespace_path(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}
