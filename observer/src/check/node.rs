//! The node's cgroup tree and its conntrack table.

use super::Finding;
use crate::nat::conntrack;
use crate::pods::cgroup_mount;

/// Where the pods live.
pub fn pods_cgroup() -> Finding {
    let finding = |ok, detail: String, fix: Option<&str>| Finding {
        name: "pod_cgroups".into(),
        ok,
        required: false,
        detail,
        lost_without: "pods are known by address only: no host-network pods, and less certain".into(),
        fix: fix.map(Into::into),
    };
    let mounts = match cgroup_mount::mounts() {
        Ok(mounts) => mounts,
        Err(error) => return finding(false, format!("/proc/self/mountinfo: {error}"), Some("mount /proc")),
    };
    match cgroup_mount::choose(&mounts) {
        Some(mount) if mount.pods > 0 => {
            finding(true, format!("{} of pods below {}", mount.pods, mount.path.display()), None)
        }
        Some(mount) => finding(
            false,
            format!("no pod below {}", mount.path.display()),
            Some(
                "on a Kubernetes node: mount the node's /sys/fs/cgroup into the agent's pod; elsewhere this is normal",
            ),
        ),
        None => finding(false, "no cgroup2 mount".into(), Some("mount -t cgroup2 none /sys/fs/cgroup")),
    }
}

/// Whether conntrack can be read.
pub fn conntrack() -> Finding {
    let finding = |ok, detail: String, fix: Option<&str>| Finding {
        name: "conntrack".into(),
        ok,
        required: false,
        detail,
        lost_without: "the Service's choice of a pod is unknown for connections that were refused or never answered"
            .into(),
        fix: fix.map(Into::into),
    };
    let mut entries = 0;
    match conntrack::probe(|| entries += 1) {
        Ok(()) => finding(true, format!("{entries} TCP entries in this network namespace"), None),
        Err(error) => finding(
            false,
            error.to_string(),
            Some("give CAP_NET_ADMIN, run in the node's network namespace (hostNetwork), load nf_conntrack_netlink"),
        ),
    }
}
