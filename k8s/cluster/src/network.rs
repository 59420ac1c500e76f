//! The segment that client and nodes share: a bridge in the client's namespace, a link to each node, and no way out.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};

use crate::command::{run, system};
use crate::error::Doing;
use crate::node::{CLIENT_ADDRESS, CLIENT_NAMESPACE, LAN_PREFIX, Node, namespace_path};
use crate::{Error, Result, pod_bridge, sysctl};

const BRIDGE: &str = "lan";
/// The bridge's alias names the cluster it belongs to.
const ALIAS: &str = "podwitness:";

/// Makes the client's namespace, one for each node, and what joins them.
pub(crate) fn create(nodes: &[Node], root: &Path) -> Result<()> {
    create_client(root)?;
    for node in nodes {
        create_node(node)?;
        for other in nodes.iter().filter(|other| other.index != node.index) {
            // Pods of different nodes reach each other without translation.
            let (subnet, address) = (other.pod_subnet.trunc().to_string(), other.address().to_string());
            ip_in(&node.name(), &["route", "add", &subnet, "via", &address])?;
        }
    }
    Ok(())
}

fn on_lan(address: Ipv4Addr) -> String {
    format!("{address}/{LAN_PREFIX}")
}

fn create_client(root: &Path) -> Result<()> {
    run(&mut system("ip", &["netns", "add", CLIENT_NAMESPACE]))?;
    let alias = format!("{ALIAS}{}", root.display());
    in_client(&["link", "set", "lo", "up"])?;
    in_client(&["link", "add", BRIDGE, "type", "bridge"])?;
    in_client(&["link", "set", BRIDGE, "alias", &alias])?;
    in_client(&["addr", "add", &on_lan(CLIENT_ADDRESS), "dev", BRIDGE])?;
    in_client(&["link", "set", BRIDGE, "up"])?;
    within(&namespace_path(CLIENT_NAMESPACE), || {
        sysctl::set("net/bridge/bridge-nf-call-iptables", "0")?;
        // A load of more than 470 new connections per second uses up all source ports within the minute that each one
        // rests after its connection; like this a port rests for a second.
        sysctl::set("net/ipv4/tcp_tw_reuse", "1")
    })
}

fn create_node(node: &Node) -> Result<()> {
    let name = node.name();
    run(&mut system("ip", &["netns", "add", &name]))?;
    let (near, far) = (node.link(), node.client_link());
    // Both ends are born where they belong, so that the machine's own namespace never sees them.
    let pair = ["link", "add", &near, "netns", &name, "type", "veth", "peer", "name", &far, "netns", CLIENT_NAMESPACE];
    run(&mut system("ip", &pair))?;
    in_client(&["link", "set", &far, "master", BRIDGE, "up"])?;
    let in_node = |arguments: &[&str]| ip_in(&name, arguments);
    in_node(&["link", "set", "lo", "up"])?;
    in_node(&["addr", "add", &on_lan(node.address()), "dev", &near])?;
    in_node(&["link", "set", &near, "up"])?;
    // The client does not forward: this is a route to nowhere, which Kubernetes wants to have.
    in_node(&["route", "add", "default", "via", &CLIENT_ADDRESS.to_string()])?;
    pod_bridge::create(&name)?;
    within(&namespace_path(&name), || {
        sysctl::set("net/ipv4/ip_forward", "1")?;
        // Pods on the node's bridge reach Services through the node's rules only with this.
        sysctl::set("net/bridge/bridge-nf-call-iptables", "1")
    })
}

/// Removes the namespaces, and with them every link, route and rule inside.
pub(crate) fn remove(nodes: &[Node]) -> Result<()> {
    let names = nodes.iter().map(Node::name).chain([CLIENT_NAMESPACE.to_owned()]);
    for name in names.filter(|name| namespace_path(name).exists()) {
        run(&mut system("ip", &["netns", "del", &name]))?;
    }
    Ok(())
}

/// Whether everything [`create`] makes is there.
pub(crate) fn is_complete(nodes: &[Node]) -> bool {
    nodes.iter().all(is_joined)
}

fn is_joined(node: &Node) -> bool {
    let has = |namespace: &str, link: &str| ip_in(namespace, &["-br", "addr", "show", "dev", link]).unwrap_or_default();
    has(&node.name(), &node.link()).contains(&node.address().to_string())
        && has(CLIENT_NAMESPACE, BRIDGE).contains(&CLIENT_ADDRESS.to_string())
        && has(CLIENT_NAMESPACE, &node.client_link()).contains("UP")
}

/// Refuses to go on when the namespaces belong to a cluster with another root.
pub(crate) fn refuse_foreign(root: &Path) -> Result<()> {
    if !namespace_path(CLIENT_NAMESPACE).exists() {
        return Ok(());
    }
    let shown = ip_in(CLIENT_NAMESPACE, &["link", "show", "dev", BRIDGE]).unwrap_or_default();
    let alias = shown.lines().find_map(|line| line.trim().strip_prefix("alias ")?.strip_prefix(ALIAS));
    match alias.map(PathBuf::from) {
        // A root that is gone has nobody left who could take its cluster down: that falls to us.
        Some(owner) if owner != root && owner.exists() => {
            Err(Error::ForeignCluster { namespace: CLIENT_NAMESPACE.into(), owner })
        }
        _ => Ok(()),
    }
}

/// Runs `work` in a network namespace, on a thread of its own that ends with it.
pub(crate) fn within<T: Send>(namespace: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let file = File::open(namespace).doing(|| format!("opening {}", namespace.display()))?;
    let enter = move || {
        setns(&file, CloneFlags::CLONE_NEWNET).doing(|| format!("entering {}", namespace.display()))?;
        work()
    };
    std::thread::scope(|scope| match scope.spawn(enter).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn in_client(arguments: &[&str]) -> Result<String> {
    ip_in(CLIENT_NAMESPACE, arguments)
}

/// `ip` in a namespace. Not `ip netns exec`, which mounts another /sys and hides the cgroups.
fn ip_in(namespace: &str, arguments: &[&str]) -> Result<String> {
    let mut all = vec!["-n", namespace];
    all.extend_from_slice(arguments);
    run(&mut system("ip", &all))
}
