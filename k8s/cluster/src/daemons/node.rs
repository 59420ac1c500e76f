//! containerd, kubelet and kube-proxy: what every node has, and their configuration files.

use std::fs;

use super::{Context, Daemon};
use crate::Result;
use crate::command::find_program;
use crate::error::Doing;
use crate::node::Node;
use crate::options::{CLUSTER_CIDR, DNS_ADDRESS, PAUSE_IMAGE};
use crate::pki::write_secret;
use crate::template::template;

/// Writes the configuration of the node's three daemons.
pub(crate) fn write_configuration(context: &Context<'_>) -> Result<()> {
    let Context { layout, node, options, bin_dir } = context;
    let dir = node.dir(&layout.root);
    let name = node.name();
    for part in ["cni", "volume-plugins", "pod-logs", "s"] {
        let path = dir.join(part);
        fs::create_dir_all(&path).doing(|| format!("making {}", path.display()))?;
    }
    let (dir_text, bin_text) = (dir.display(), bin_dir.display());
    let socket = layout.containerd_socket(node);
    let runc = find_program("runc").unwrap_or_else(|| "runc".into());
    let containerd = template!("containerd.toml").render(&[
        ("NODE_DIR", &dir_text),
        ("BIN_DIR", &bin_text),
        ("CONTAINERD_SOCKET", &socket.display()),
        ("PAUSE_IMAGE", &PAUSE_IMAGE),
        ("RUNC", &runc.display()),
    ])?;
    write_secret(&layout.containerd_config(node), &containerd)?;
    let cni = template!("cni.conflist").render(&[("NODE_DIR", &dir_text), ("POD_SUBNET", &node.pod_subnet)])?;
    write_secret(&dir.join("cni/10-podwitness.conflist"), &cni)?;
    let kubelet = template!("kubelet.yaml").render(&[
        ("CGROUP", &format!("/{}", node.cgroup())),
        ("CONTAINERD_SOCKET", &socket.display()),
        ("PKI", &layout.pki().display()),
        ("NODE", &name),
        ("NODE_DIR", &dir_text),
        ("DNS_ADDRESS", &DNS_ADDRESS),
    ])?;
    write_secret(&layout.kubelet_config(node), &kubelet)?;
    let proxy = template!("kube-proxy.yaml").render(&[
        ("PROXY_MODE", &options.proxy_mode.as_str()),
        ("CLUSTER_CIDR", &CLUSTER_CIDR),
        ("NODE", &name),
        ("KUBECONFIG", &layout.kubeconfig(&proxy_user(node)).display()),
    ])?;
    write_secret(&layout.kube_proxy_config(node), &proxy)?;
    // Pods that ask for the node's DNS get the cluster's: there is no other.
    let resolv = dir.join("resolv.conf");
    fs::write(&resolv, format!("nameserver {DNS_ADDRESS}\n")).doing(|| format!("writing {}", resolv.display()))
}

/// The file name of a kube-proxy's kubeconfig: the first node's asks the API server over the loopback.
pub(crate) fn proxy_user(node: &Node) -> String {
    if node.index == 0 { "proxy".into() } else { format!("proxy-{}", node.name()) }
}

pub(crate) fn containerd(context: &Context<'_>) -> Daemon {
    let config = context.layout.containerd_config(context.node);
    context.of_node("containerd", [format!("--config={}", config.display())])
}

pub(crate) fn kubelet(context: &Context<'_>) -> Daemon {
    let Context { layout, node, .. } = context;
    let dir = node.dir(&layout.root);
    let arguments = [
        format!("--config={}", layout.kubelet_config(node).display()),
        format!("--kubeconfig={}", context.kubeconfig(&node.name())),
        format!("--root-dir={}", dir.join("kubelet").display()),
        format!("--cert-dir={}", dir.join("kubelet-pki").display()),
        format!("--hostname-override={}", node.name()),
        format!("--node-ip={}", node.address()),
        "--v=2".into(),
    ];
    context.of_node("kubelet", arguments)
}

pub(crate) fn kube_proxy(context: &Context<'_>) -> Daemon {
    let config = context.layout.kube_proxy_config(context.node);
    context.of_node("kube-proxy", [format!("--config={}", config.display()), "--v=2".into()])
}

// The kubelet's health endpoint, on the node's loopback.
pub(crate) const KUBELET_HEALTH_PORT: u16 = 10248;
