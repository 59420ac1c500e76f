//! The node: its pods' cgroups, what the kernel tells of them, and its conntrack table.

use std::path::Path;

use super::Finding;
use crate::nat::conntrack;
use crate::pods::cgroups;

/// Whether the pods' cgroups are below the directory that the programs are attached at, however deep.
pub fn pod_cgroups(cgroup: Option<&Path>) -> Finding {
    let found = cgroup.map_or(0, |path| cgroups::scan(path).map_or(0, |found| found.len()));
    let below = cgroup.map_or_else(|| "any cgroup2 mount".into(), |path| path.display().to_string());
    let fix = "on a Kubernetes node: mount the node's /sys/fs/cgroup into the agent's pod; elsewhere this is normal";
    Finding {
        name: "pod_cgroups".into(),
        ok: found > 0,
        required: false,
        detail: if found > 0 { format!("{found} below {below}") } else { format!("none below {below}") },
        lost_without: "pods are known by address only: no host-network pods, and less certain".into(),
        fix: (found == 0).then(|| fix.into()),
    }
}

/// Whether the kernel tells who had work and no CPU.
pub fn pressure() -> Finding {
    let told = Path::new("/proc/pressure/cpu").exists();
    Finding {
        name: "pressure".into(),
        ok: told,
        required: false,
        detail: if told { "the kernel tells it".into() } else { "the kernel does not tell it".into() },
        lost_without: "a pod that a busy node kept waiting is called slow (no `cpu_pressure`)".into(),
        fix: (!told).then(|| "boot the node with psi=1 (the kernel needs CONFIG_PSI)".into()),
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
