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

/// The top of the hierarchy in which pods' CPU limits are: of version 1 where the host uses it, else of version 2.
pub fn cpu() -> Option<PathBuf> {
    let all = procfs::process::Process::myself().and_then(|process| process.mountinfo()).ok()?;
    let of_cpu = |mount: &procfs::process::MountInfo| {
        mount.fs_type == "cgroup2" || (mount.fs_type == "cgroup" && mount.super_options.contains_key("cpu"))
    };
    let mounts = all.0.into_iter().filter(of_cpu);
    let mounts: Vec<(bool, Mount)> = mounts
        .map(|mount| {
            let first = mount.fs_type == "cgroup";
            (first, Mount { pods: count(&mount.mount_point), path: mount.mount_point, root: mount.root })
        })
        .collect();
    let of_version = |first: bool| mounts.iter().filter(|it| it.0 == first).map(|it| it.1.clone()).collect::<Vec<_>>();
    let chosen = |mounts: Vec<Mount>| choose(&mounts).filter(|mount| mount.pods > 0).map(|mount| mount.path.clone());
    chosen(of_version(true)).or_else(|| chosen(of_version(false)))
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
