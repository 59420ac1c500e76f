//! Who we are and what the kernel offers.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::Finding;
use crate::cgroup::Hierarchies;
use crate::command::{find_program, run, system};
use crate::node::{CLIENT_NAMESPACE, namespace_path};

pub(super) fn check() -> Vec<Finding> {
    vec![
        root(),
        cgroups(),
        filesystem("overlay", "the layers of container images"),
        filesystem("tmpfs", "volumes"),
        bridge_filter(),
        other_kubelet(),
    ]
}

pub(super) fn root() -> Finding {
    let what = "root on Linux";
    if !cfg!(target_os = "linux") {
        return Finding::missing(
            what,
            "this is not Linux",
            "use a Linux machine, or `--context NAME` with any cluster",
        );
    }
    if nix::unistd::geteuid().is_root() {
        return Finding::ok(what, "yes");
    }
    let detail = "a node needs namespaces, mounts and cgroups of its own";
    Finding::missing(what, detail, "run the same command as root, for example with sudo")
}

fn cgroups() -> Finding {
    let what = "cgroups";
    let fix =
        "mount them (systemd does), or mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified";
    let Ok(hierarchies) = Hierarchies::discover() else {
        return Finding::missing(what, "/proc/self/mountinfo cannot be read", "mount /proc");
    };
    let Some(unified) = hierarchies.unified() else {
        return Finding::missing(what, "version 2 is not mounted; pods are told apart by it", fix);
    };
    if statvfs(&unified.mount).is_ok_and(|stat| stat.flags().contains(FsFlags::ST_RDONLY)) {
        return Finding::missing(
            what,
            format!("{} is read-only", unified.mount.display()),
            "remount it with -o rw, or leave the container that hides it",
        );
    }
    let kind = if hierarchies.is_pure_v2() { "version 2" } else { "hybrid: version 1 controllers beside version 2" };
    Finding::ok(what, format!("{kind} at {}", unified.mount.display()))
}

/// A filesystem that is built in or whose module can be loaded.
fn filesystem(name: &'static str, purpose: &str) -> Finding {
    let what = if name == "overlay" { "overlayfs" } else { name };
    let known = || {
        let text = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        text.lines().any(|line| line.split_whitespace().next_back() == Some(name))
    };
    if known() || module_available(name) {
        return Finding::ok(what, "yes");
    }
    let detail = format!("this kernel has none; it is needed for {purpose}");
    Finding::missing(what, detail, format!("modprobe {name}, or a kernel with it"))
}

fn bridge_filter() -> Finding {
    let what = "bridge netfilter";
    if Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables").exists() || module_available("br_netfilter") {
        return Finding::ok(what, "yes");
    }
    let detail = "without it pods on one node cannot reach each other through a Service";
    Finding::missing(what, detail, "modprobe br_netfilter, or a kernel with it")
}

/// Kubelets share the socket for device plugins, whose path is fixed: ours would take it from another one.
fn other_kubelet() -> Finding {
    let (what, socket) = ("no other kubelet", "/var/lib/kubelet/device-plugins/kubelet.sock");
    let ours = namespace_path(CLIENT_NAMESPACE).exists();
    if ours || UnixStream::connect(socket).is_err() {
        return Finding::ok(what, "none runs");
    }
    let detail = format!("one answers at {socket}: this machine is a Kubernetes node already");
    Finding::missing(what, detail, "use that cluster (`--context NAME`), or stop its kubelet first")
}

/// Whether modprobe would find it. `up` loads what it needs; a check changes nothing.
fn module_available(name: &str) -> bool {
    find_program("modprobe").is_some() && run(&mut system("modprobe", &["--dry-run", "--quiet", name])).is_ok()
}
