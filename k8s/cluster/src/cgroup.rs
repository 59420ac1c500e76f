//! One cgroup of ours in every hierarchy: on hosts with version 2 only, and on hybrid ones.
//!
//! Everything the cluster starts lives in it, so that nothing can be missed when it has to go.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::Doing;
use crate::process::ProcessId;
use crate::{Error, Result};

/// The controllers a kubelet needs; the others are left as they are.
const WANTED: [&str; 6] = ["cpu", "cpuset", "memory", "pids", "io", "hugetlb"];

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Version 2 (the one with `cgroup.kill`), or one of version 1.
    pub unified: bool,
    /// Version 1's cpuset, whose members must be filled in by hand.
    cpuset: bool,
}

/// All hierarchies of this machine.
#[derive(Debug, Clone)]
pub struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// Reads them from `/proc/self/mountinfo`.
    pub fn discover() -> Result<Self> {
        let text = fs::read_to_string("/proc/self/mountinfo").doing(|| "reading /proc/self/mountinfo".into())?;
        Ok(Self(parse_mountinfo(&text)))
    }

    /// The version 2 hierarchy, if mounted.
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.0.iter().find(|hierarchy| hierarchy.unified)
    }

    /// Whether the controllers are version 2 as well.
    pub fn is_pure_v2(&self) -> bool {
        self.unified().is_some() && self.0.len() == 1
    }

    /// The controllers that the root hands on now, if [`Self::create`] can change that.
    pub(crate) fn handed_on_by_root(&self) -> Option<Vec<String>> {
        self.handing_on().map(|hierarchy| words(&hierarchy.mount.join("cgroup.subtree_control")))
    }

    /// The hierarchy whose controllers must be handed on from parent to child. On a hybrid host the controllers are
    /// version 1, where every group has them, and version 2 only names the groups.
    fn handing_on(&self) -> Option<&Hierarchy> {
        self.unified().filter(|_| self.is_pure_v2())
    }

    /// Makes `group` and its parents everywhere, with controllers enabled down to its parent.
    pub(crate) fn create(&self, group: &str) -> Result<()> {
        for hierarchy in &self.0 {
            let mut dir = hierarchy.mount.clone();
            for part in group.split('/') {
                if self.handing_on() == Some(hierarchy) {
                    // A group may hold processes or hand out controllers, not both: the leaf stays as it is.
                    enable_controllers(&dir)?;
                }
                dir.push(part);
                match fs::create_dir(&dir) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error).doing(|| format!("making cgroup {}", dir.display()));
                    }
                    _ => {}
                }
                if hierarchy.cpuset {
                    inherit_cpuset(&dir)?;
                }
            }
        }
        Ok(())
    }

    /// Opens `cgroup.procs` of `group` everywhere: writing `0` moves the writer.
    pub(crate) fn open_members(&self, group: &str) -> Result<Vec<File>> {
        let paths = self.0.iter().map(|hierarchy| hierarchy.mount.join(group).join("cgroup.procs"));
        let open =
            |path: PathBuf| OpenOptions::new().write(true).open(&path).doing(|| format!("opening {}", path.display()));
        paths.map(open).collect()
    }

    /// The directories of `group` that exist.
    pub(crate) fn existing(&self, group: &str) -> Vec<PathBuf> {
        self.0.iter().map(|hierarchy| hierarchy.mount.join(group)).filter(|dir| dir.is_dir()).collect()
    }

    /// The pids in `group` and below it, in any hierarchy.
    pub(crate) fn members(&self, group: &str) -> Vec<i32> {
        let mut pids = Vec::new();
        for dir in self.existing(group) {
            walk(&dir, &mut |dir| {
                let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
            });
        }
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Kills every process in `group` and below it and waits until they are gone.
    pub(crate) fn kill(&self, group: &str, patience: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            if let Some(hierarchy) = self.unified() {
                // Takes children forked meanwhile as well (Linux 5.14); where it is missing, the loop below does.
                let _ = fs::write(hierarchy.mount.join(group).join("cgroup.kill"), "1");
            }
            let left: Vec<ProcessId> = self.members(group).into_iter().filter_map(ProcessId::of).collect();
            let alive: Vec<ProcessId> = left.into_iter().filter(|process| process.is_alive()).collect();
            if alive.is_empty() {
                return Ok(());
            }
            if started.elapsed() > patience {
                let pids = alive.iter().map(|process| format!("process {} survives SIGKILL", process.pid)).collect();
                return Err(Error::LeftOver(pids));
            }
            for process in alive {
                process.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Removes `group` and everything below it everywhere; what is still busy is tried again for a while.
    pub(crate) fn remove(&self, group: &str, patience: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            for dir in self.existing(group) {
                // Children come after their parents in the walk; remove them in the opposite order.
                let mut dirs = Vec::new();
                walk(&dir, &mut |dir| dirs.push(dir.to_owned()));
                for dir in dirs.iter().rev() {
                    let _ = fs::remove_dir(dir);
                }
            }
            let left = self.existing(group);
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() > patience {
                return Err(Error::LeftOver(left.iter().map(|dir| format!("cgroup {}", dir.display())).collect()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets the root hand on no more than it did `before`. runc enables whatever the kernel has, not only what we asked
    /// for.
    pub(crate) fn restore_root(&self, before: &[String]) {
        let Some(hierarchy) = self.handing_on() else { return };
        let path = hierarchy.mount.join("cgroup.subtree_control");
        for controller in words(&path).iter().filter(|controller| !before.contains(controller)) {
            // Refused when someone else has come to need it meanwhile, and then it has to stay.
            let _ = fs::write(&path, format!("-{controller}"));
        }
    }
}

/// The words in a file of the kernel's.
fn words(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The wanted controllers that `dir` has and does not hand on to its children.
fn missing_controllers(dir: &Path) -> Vec<String> {
    let (available, enabled) = (words(&dir.join("cgroup.controllers")), words(&dir.join("cgroup.subtree_control")));
    let mut missing: Vec<String> = WANTED.map(str::to_owned).into();
    missing.retain(|controller| available.contains(controller) && !enabled.contains(controller));
    missing
}

fn enable_controllers(dir: &Path) -> Result<()> {
    let path = dir.join("cgroup.subtree_control");
    for controller in missing_controllers(dir) {
        fs::write(&path, format!("+{controller}")).doing(|| {
            let hint = "is this a container that shares its root cgroup with other processes?";
            format!("enabling the {controller} controller in {} ({hint})", path.display())
        })?;
    }
    Ok(())
}

/// A new cpuset of version 1 has no CPU and no memory node and takes no process until it has.
fn inherit_cpuset(dir: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let path = dir.join(file);
        let own = fs::read_to_string(&path).doing(|| format!("reading {}", path.display()))?;
        if own.trim().is_empty() {
            let from = dir.parent().unwrap_or(dir).join(file);
            let value = fs::read_to_string(&from).doing(|| format!("reading {}", from.display()))?;
            fs::write(&path, value.trim()).doing(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Calls `visit` for `dir` and every directory below it, parents first.
fn walk(dir: &Path, visit: &mut impl FnMut(&Path)) {
    visit(dir);
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), visit);
        }
    }
}

/// One entry per hierarchy, even if it is mounted several times.
fn parse_mountinfo(text: &str) -> Vec<Hierarchy> {
    let mut found: Vec<(&str, Hierarchy)> = Vec::new();
    for line in text.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (Some(device), Some(root), Some(mount), Some(kind)) =
            (left.get(2), left.get(3), left.get(4), right.first())
        else {
            continue;
        };
        let unified = *kind == "cgroup2";
        if !(unified || *kind == "cgroup") || *root != "/" || found.iter().any(|(known, _)| known == device) {
            continue;
        }
        let options = right.get(2).copied().unwrap_or_default();
        let cpuset = !unified && options.split(',').any(|option| option == "cpuset");
        found.push((device, Hierarchy { mount: PathBuf::from(mount), unified, cpuset }));
    }
    found.into_iter().map(|(_, hierarchy)| hierarchy).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
34 30 0:28 / /mnt/again rw,relatime - cgroup cgroup rw,cpuset
35 30 0:29 /some/where /mnt/part rw,relatime - cgroup2 cgroup2 rw";

    #[test]
    fn each_hierarchy_is_found_once() {
        let found = parse_mountinfo(HYBRID);
        let mounts: Vec<_> = found.iter().map(|hierarchy| hierarchy.mount.to_string_lossy().into_owned()).collect();
        assert_eq!(mounts, ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuset", "/sys/fs/cgroup/unified"]);
        assert!(found[1].cpuset && !found[0].cpuset && found[2].unified);
        assert!(!Hierarchies(found).is_pure_v2());
    }

    #[test]
    fn one_unified_mount_is_pure() {
        let found = parse_mountinfo("29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate");
        assert!(Hierarchies(found).is_pure_v2());
    }

    #[test]
    fn controllers_are_handed_on_down_to_the_parent_of_the_leaf() {
        let root = tempfile::tempdir().unwrap();
        let files = |dir: &Path| {
            fs::write(dir.join("cgroup.controllers"), "cpuset cpu io memory pids rdma\n").unwrap();
            fs::write(dir.join("cgroup.subtree_control"), "cpu memory\n").unwrap();
        };
        let (outer, leaf) = (root.path().join("a"), root.path().join("a/leaf"));
        fs::create_dir_all(&leaf).unwrap();
        [root.path(), outer.as_path(), leaf.as_path()].into_iter().for_each(files);
        let pure = Hierarchy { mount: root.path().to_owned(), unified: true, cpuset: false };
        let hierarchies = Hierarchies(vec![pure.clone()]);
        assert_eq!(missing_controllers(root.path()), ["cpuset", "pids", "io"]);
        assert_eq!(hierarchies.handed_on_by_root().unwrap(), ["cpu", "memory"]);
        hierarchies.create("a/leaf").unwrap();
        let written = |dir: &Path| fs::read_to_string(dir.join("cgroup.subtree_control")).unwrap();
        // A plain file keeps the last write; the kernel adds up.
        assert_eq!((written(root.path()), written(&outer)), ("+io".into(), "+io".into()));
        assert_eq!(written(&leaf), "cpu memory\n");
        fs::write(root.path().join("cgroup.subtree_control"), "cpu memory io\n").unwrap();
        hierarchies.restore_root(&["cpu".into(), "memory".into()]);
        assert_eq!(written(root.path()), "-io");

        let v1 = Hierarchy { mount: "/nowhere".into(), unified: false, cpuset: false };
        assert!(Hierarchies(vec![v1, pure]).handed_on_by_root().is_none(), "a hybrid host is left as it is");
    }
}
