//! Mounts below a directory of ours, and the few we make ourselves.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::Result;
use crate::error::Doing;

/// Where the kernel's trace events are read.
pub(crate) const TRACEFS: &str = "/sys/kernel/tracing";

/// Every mount point, in the order of mounting.
pub(crate) fn all() -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string("/proc/self/mountinfo").doing(|| "reading /proc/self/mountinfo".into())?;
    Ok(text.lines().filter_map(|line| line.split(' ').nth(4)).map(|path| PathBuf::from(unescape(path))).collect())
}

/// The mount points at and below `dir`.
pub(crate) fn below(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(all()?.into_iter().filter(|path| path.starts_with(dir)).collect())
}

/// Whether something is mounted exactly there.
pub(crate) fn is_mounted(path: &Path) -> Result<bool> {
    Ok(all()?.iter().any(|mounted| mounted == path))
}

/// Unmounts everything at and below `dir`, last first.
pub(crate) fn unmount_below(dir: &Path) -> Result<()> {
    for path in below(dir)?.iter().rev() {
        unmount(path)?;
    }
    Ok(())
}

/// Unmounts one mount; a busy one is detached, so that it goes when its last user does.
pub(crate) fn unmount(path: &Path) -> Result<()> {
    umount2(path, MntFlags::UMOUNT_NOFOLLOW)
        .or_else(|_| umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW))
        .doing(|| format!("unmounting {}", path.display()))
}

/// Mounts tracefs where it belongs.
pub(crate) fn mount_tracefs() -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tracefs"), TRACEFS, Some("tracefs"), flags, None::<&str>)
        .doing(|| format!("mounting tracefs at {TRACEFS}"))
}

/// mountinfo writes space, tab, newline and backslash as octal numbers.
fn unescape(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_is_undone() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
    }

    #[test]
    fn the_root_is_a_mount() {
        assert!(is_mounted(Path::new("/")).is_ok_and(|mounted| mounted));
    }
}
