//! Finds the part of the cgroup tree that belongs to the agent's own node.
//!
//! Usually that is all of it. Where several nodes share one kernel (nodes that are containers, or network namespaces), each
//! kubelet keeps its pods below a directory of its own, and the mount that one of them hands to a pod may show them all.
//! Programs that are attached at the top would then tell the other node's traffic as ours.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use super::cgroup_mount::Mount;
use super::walk::MAX_DEPTH;

/// The directory of `mount` that holds the pods of our own kubelet; `mount` itself when we are no pod, or cannot be found.
pub fn of_this_agent(mount: &Path, mounts: &[Mount]) -> PathBuf {
    let found = own_inode(mounts).and_then(|inode| find(mount, inode, 0));
    found.as_deref().and_then(kubelet_root).unwrap_or_else(|| mount.to_owned())
}

/// Above `kubepods`: the cgroup that a kubelet was given (`--cgroup-root`). Pure.
fn kubelet_root(own: &Path) -> Option<PathBuf> {
    let is_kubepods = |name: &OsStr| {
        let name = name.to_str().unwrap_or_default();
        matches!(name, "kubepods" | "kubepods.slice") || name.ends_with("-kubepods.slice")
    };
    let mut root = PathBuf::new();
    for part in own.components() {
        match part {
            Component::Normal(name) if is_kubepods(name) => return Some(root),
            part => root.push(part),
        }
    }
    None
}

/// The inode of our own cgroup's directory, which is the same through every mount. In a private cgroup namespace our path
/// is `/`, and the mount that shows the namespace's own part has our directory at its top.
fn own_inode(mounts: &[Mount]) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own_path(&text)?;
    let candidates = mounts.iter().filter(|mount| mount.root == "/").map(|mount| mount.path.join(path));
    candidates.filter_map(|directory| fs::metadata(directory).ok()).map(|metadata| metadata.ino()).next()
}

/// The line of the version 2 hierarchy, without its leading slash. Pure.
fn own_path(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // Outside of what this namespace shows: there is nothing to find below its mounts.
    (!path.starts_with("..")).then_some(path)
}

/// The directory with this inode at or below `directory`.
fn find(directory: &Path, inode: u64, depth: usize) -> Option<PathBuf> {
    if fs::metadata(directory).ok()?.ino() == inode {
        return Some(directory.to_owned());
    }
    if depth > MAX_DEPTH {
        return None;
    }
    let children = || fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = || children().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let here = directories().find(|entry| entry.ino() == inode).map(|entry| entry.path());
    here.or_else(|| directories().find_map(|entry| find(&entry.path(), inode, depth + 1)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_kubelets_root_is_above_kubepods() {
        let root = |own: &str| kubelet_root(Path::new(own)).map(|path| path.display().to_string());
        let pod = "burstable/pod0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60/2d711642b726";
        assert_eq!(root(&format!("/cgroup/kubepods/{pod}")).as_deref(), Some("/cgroup"));
        assert_eq!(root(&format!("/cgroup/lab/node1/kubepods/{pod}")).as_deref(), Some("/cgroup/lab/node1"));
        let slices = "kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/a.scope";
        assert_eq!(root(&format!("/cgroup/kubelet.slice/{slices}")).as_deref(), Some("/cgroup/kubelet.slice"));
        assert_eq!(root("/cgroup/kubepods.slice/kubepods-pod1.slice/a.scope").as_deref(), Some("/cgroup"));
        assert_eq!(root("/cgroup/user.slice/user-0.slice"), None, "a process of the machine is of no kubelet");
    }

    #[test]
    fn our_path_is_the_one_of_version_2() {
        assert_eq!(own_path("9:name=systemd:/\n4:memory:/a\n0::/lab/node1/kubepods/x\n"), Some("lab/node1/kubepods/x"));
        assert_eq!(own_path("0::/\n"), Some(""));
        assert_eq!(own_path("0::/../other\n"), None);
        assert_eq!(own_path("4:memory:/a\n"), None);
    }

    #[test]
    fn a_directory_is_found_by_its_inode_at_any_depth() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("lab/node1/kubepods/burstable/pod1/c");
        for path in [&deep, &root.path().join("lab/node0/kubepods/pod2")] {
            fs::create_dir_all(path).unwrap();
        }
        let inode = fs::metadata(&deep).unwrap().ino();
        assert_eq!(find(root.path(), inode, 0), Some(deep));
        assert_eq!(find(&root.path().join("lab/node0"), inode, 0), None);
    }
}
