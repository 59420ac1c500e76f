//! Walks the cgroup tree: the directories of pods, and those within them.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cgroup_name::pod_uid;

/// Pods, and the agent's own cgroup, sit at most this deep, also when the whole node is itself in a container's cgroup.
pub const MAX_DEPTH: usize = 12;

/// Whether directories within a pod's directory are walked as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// They are.
    Walk,
    /// They are not.
    Skip,
}

/// Shows each directory below `root` that belongs to a pod, with the pod's UID: its own first, then those of its containers.
pub fn pods(root: &Path, mut show: impl FnMut(&DirEntry, &Arc<str>) -> Within) -> io::Result<()> {
    // An error below the root is a directory that vanished while we were reading: normal.
    for entry in fs::read_dir(root)?.flatten() {
        visit(&entry, None, 0, &mut show);
    }
    Ok(())
}

fn visit(
    entry: &DirEntry,
    pod: Option<&Arc<str>>,
    depth: usize,
    show: &mut impl FnMut(&DirEntry, &Arc<str>) -> Within,
) {
    if depth > MAX_DEPTH || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
        return;
    }
    let named = pod.cloned().or_else(|| entry.file_name().to_str().and_then(pod_uid).map(Arc::from));
    if named.as_ref().is_some_and(|uid| show(entry, uid) == Within::Skip) {
        return;
    }
    for child in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
        visit(&child, named.as_ref(), depth + 1, show);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UID: &str = "0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60";

    #[test]
    fn a_pods_directories_are_shown_from_the_top() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("kubepods/burstable/pod{UID}"));
        fs::create_dir_all(pod.join("container/inner")).unwrap();
        fs::create_dir_all(root.path().join("system.slice/a")).unwrap();
        fs::write(pod.join("cpu.stat"), "").unwrap();
        let walk = |within| {
            let mut shown = Vec::new();
            pods(root.path(), |entry, uid| {
                assert_eq!(&**uid, UID);
                shown.push(entry.path());
                within
            })
            .unwrap();
            shown
        };
        assert_eq!(walk(Within::Walk), [pod.clone(), pod.join("container"), pod.join("container/inner")]);
        assert_eq!(walk(Within::Skip), [pod]);
        assert!(pods(&root.path().join("none"), |_, _| Within::Walk).is_err());
    }
}
