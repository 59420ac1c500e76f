//! Finds the cgroup2 mount that shows the node's pods.

use std::path::{Path, PathBuf};

use super::cgroups;

/// A cgroup2 mount, as far as it matters for choosing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub path: PathBuf,
    /// Which directory of the hierarchy shows there. A private cgroup namespace shows its own directory as `/`.
    pub root: String,
    /// Cgroups of pods below it.
    pub pods: usize,
}

/// Every cgroup2 mount of this mount namespace.
pub fn mounts() -> procfs::ProcResult<Vec<Mount>> {
    let all = procfs::process::Process::myself()?.mountinfo()?;
    Ok(all
        .0
        .into_iter()
        .filter(|mount| mount.fs_type == "cgroup2")
        .map(|mount| Mount { pods: count(&mount.mount_point), path: mount.mount_point, root: mount.root })
        .collect())
}

fn count(path: &Path) -> usize {
    cgroups::scan(path).map_or(0, |found| found.len())
}

/// The mount to use: the one with most pods below it; without pods the one that shows the top of the hierarchy.
pub fn choose(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().max_by_key(|mount| (mount.pods, mount.root == "/", std::cmp::Reverse(mount.path.as_os_str().len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, root: &str, pods: usize) -> Mount {
        Mount { path: path.into(), root: root.into(), pods }
    }

    #[test]
    fn pods_decide_then_the_top_of_the_hierarchy() {
        let own = mount("/sys/fs/cgroup", "/", 0);
        let host = mount("/host/cgroup", "/../../..", 12);
        assert_eq!(choose(&[own.clone(), host.clone()]), Some(&host));
        let part = mount("/a", "/part", 0);
        assert_eq!(choose(&[part, own.clone()]), Some(&own));
        assert_eq!(choose(&[]), None);
    }
}
