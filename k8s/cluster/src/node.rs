//! What belongs to one node. Nodes are network namespaces with a kubelet, a containerd and a kube-proxy each; they share
//! one kernel, and nothing else that has a name of its own here.

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

/// A cluster has at most this many nodes.
pub(crate) const MOST_NODES: u8 = 2;

/// One node: its names, addresses and places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 0 for the first node, which also runs the control plane.
    pub index: u8,
    /// Addresses of the pods on this node.
    pub pod_subnet: Ipv4Net,
}

impl Node {
    /// The nodes of a cluster, the first one first. Each has a subnet of `pod_subnet`'s size: the first node that one, the
    /// second its neighbour, so that both are parts of the same larger one and have no address in common.
    pub(crate) fn all(count: u8, pod_subnet: Ipv4Net) -> Vec<Self> {
        let (first, length) = (u32::from(pod_subnet.network()), pod_subnet.prefix_len());
        // Only the last bit of the prefix differs.
        let of = |index: u8| first ^ u32::from(index) << (32 - u32::from(length));
        let subnet = |index| Ipv4Net::new_assert(of(index).into(), length);
        let node = |index| Self { index, pod_subnet: if index == 0 { pod_subnet } else { subnet(index) } };
        (0..count).map(node).collect()
    }

    /// Every node that a cluster can have, whatever a journal says.
    pub(crate) fn possible(pod_subnet: Ipv4Net) -> Vec<Self> {
        Self::all(MOST_NODES, pod_subnet)
    }

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_pods_of_two_nodes_have_no_address_in_common() {
        let all: Ipv4Net = crate::options::CLUSTER_CIDR.parse().unwrap();
        for subnet in ["10.244.0.0/24", "10.244.255.0/24", "10.244.0.16/28", "10.244.128.0/17", "10.244.3.7/29"] {
            let nodes = Node::all(2, subnet.parse().unwrap());
            let (one, two) = (nodes[0].pod_subnet, nodes[1].pod_subnet);
            assert_eq!(one.to_string(), subnet, "the first node has what was asked for");
            assert!(!one.contains(&two.network()) && !two.contains(&one.network()), "{one} and {two}");
            assert!(all.contains(&two) && one.prefix_len() == two.prefix_len(), "{two}");
        }
        assert_eq!(Node::all(2, "10.244.0.0/24".parse().unwrap())[1].pod_subnet.to_string(), "10.244.1.0/24");
    }
}
