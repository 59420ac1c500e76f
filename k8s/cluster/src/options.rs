//! What a cluster can be asked to be.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::node::MOST_NODES;
use crate::{Error, Result};

/// Where a cluster keeps its state unless told otherwise.
pub const DEFAULT_ROOT: &str = "/var/lib/podwitness/cluster";

/// The image of every pod's sandbox; it must be among [`Options::images`].
pub const PAUSE_IMAGE: &str = "podwitness.local/pause:1";

/// Addresses of all pods of all nodes; a node's pods use a part of it.
pub(crate) const CLUSTER_CIDR: &str = "10.244.0.0/16";
/// Addresses of Services.
pub(crate) const SERVICE_CIDR: &str = "10.96.0.0/16";
/// The Service `kubernetes`: the first address of [`SERVICE_CIDR`].
pub(crate) const API_SERVICE_ADDRESS: &str = "10.96.0.1";
/// The Service `kube-dns`.
pub(crate) const DNS_ADDRESS: &str = "10.96.0.10";

// Unix socket paths end at 108 bytes and containerd appends 64 of its own to a directory of at most 42.
const LONGEST_ROOT: usize = 34;

/// How kube-proxy programs the node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// `iptables`, what most clusters use.
    #[default]
    Iptables,
    /// `nftables`, GA since 1.33.
    Nftables,
}

impl ProxyMode {
    /// The name kube-proxy gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

/// Whether and how often pods are measured for autoscaling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// No metrics-server.
    #[default]
    None,
    /// A sample every 10 s, autoscaler every 5 s: experiments need not wait for minutes.
    Fast,
    /// A sample every 60 s, autoscaler every 15 s: the upstream defaults.
    Default,
}

/// A cluster as wanted. `Options::default()` has DNS, iptables, no metrics and no images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Everything the cluster writes is below this directory; at most 34 characters.
    pub root: PathBuf,
    /// OCI or docker archives to import; one must hold [`PAUSE_IMAGE`].
    pub images: Vec<PathBuf>,
    /// How Services are implemented.
    pub proxy_mode: ProxyMode,
    /// `CoreDNS` for the cluster's own names.
    pub dns: bool,
    /// metrics-server for `kubectl top` and autoscaling.
    pub metrics: Metrics,
    /// How many nodes: 1 or 2. Both are on this machine and share its kernel.
    #[serde(default = "one")]
    pub nodes: u8,
    /// Addresses of the first node's pods, within 10.244.0.0/16; a small one forces addresses to be used again soon. A
    /// second node has the neighbouring ones.
    pub pod_subnet: Ipv4Net,
    /// Where the built programs are; `None` builds them into the user's cache.
    pub bin_dir: Option<PathBuf>,
    /// Print no steps to stderr.
    pub quiet: bool,
}

fn one() -> u8 {
    1
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: DEFAULT_ROOT.into(),
            images: Vec::new(),
            proxy_mode: ProxyMode::default(),
            dns: true,
            metrics: Metrics::default(),
            nodes: one(),
            pod_subnet: Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 24),
            bin_dir: None,
            quiet: false,
        }
    }
}

impl Options {
    /// Checks what can be checked without touching the machine.
    pub fn validate(&self) -> Result<()> {
        let refuse = |option, problem: String| Err(Error::Option { option, problem });
        if !self.root.is_absolute() || self.root.parent().is_none() {
            return refuse("root", format!("{} is not an absolute path below /", self.root.display()));
        }
        if self.root.as_os_str().len() > LONGEST_ROOT {
            let problem = format!("{} is longer than {LONGEST_ROOT} characters", self.root.display());
            return refuse("root", format!("{problem}, too long for the sockets below it"));
        }
        if !(1..=MOST_NODES).contains(&self.nodes) {
            return refuse("nodes", format!("{} is not from 1 to {MOST_NODES}", self.nodes));
        }
        let all_pods = Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16);
        if !all_pods.contains(&self.pod_subnet) || !(17..=29).contains(&self.pod_subnet.prefix_len()) {
            let problem = format!("{} is not a part of {CLUSTER_CIDR} from /17 to /29", self.pod_subnet);
            return refuse("pod_subnet", problem);
        }
        if let Some(missing) = self.images.iter().find(|path| !path.is_file()) {
            return refuse("images", format!("{} is not a file", missing.display()));
        }
        Ok(())
    }

    /// Names the options that differ from `running` and cannot be changed while a cluster is up.
    pub(crate) fn difference(&self, running: &Self) -> Option<String> {
        let mut differences = Vec::new();
        let mut compare = |name: &str, wanted: String, is: String| {
            if wanted != is {
                differences.push(format!("{name} is {is}, wanted {wanted}"));
            }
        };
        compare("proxy_mode", self.proxy_mode.as_str().into(), running.proxy_mode.as_str().into());
        compare("dns", self.dns.to_string(), running.dns.to_string());
        compare("metrics", format!("{:?}", self.metrics), format!("{:?}", running.metrics));
        compare("nodes", self.nodes.to_string(), running.nodes.to_string());
        compare("pod_subnet", self.pod_subnet.to_string(), running.pod_subnet.to_string());
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn defaults_are_valid() {
        Options::default().validate().unwrap();
    }

    #[test]
    fn a_subnet_outside_the_cluster_is_refused() {
        for subnet in ["10.96.0.0/24", "10.244.0.0/30", "10.0.0.0/8"] {
            let options = Options { pod_subnet: subnet.parse().unwrap(), ..Options::default() };
            assert!(options.validate().is_err(), "{subnet}");
        }
    }

    #[test]
    fn a_long_root_is_refused() {
        let options = Options { root: format!("/{}", "x".repeat(LONGEST_ROOT)).into(), ..Options::default() };
        assert!(options.validate().is_err());
    }

    #[test]
    fn images_may_differ_but_the_proxy_mode_may_not() {
        let running = Options::default();
        assert_eq!(Options { images: vec!["/x".into()], ..running.clone() }.difference(&running), None);
        let other = Options { proxy_mode: ProxyMode::Nftables, ..running.clone() };
        assert_eq!(other.difference(&running).unwrap(), "proxy_mode is iptables, wanted nftables");
    }
}
