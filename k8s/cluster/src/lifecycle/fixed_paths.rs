//! Cleaning the places whose paths upstream's programs do not let us choose.
//!
//! Only what is known to be ours is removed, and directories only when that leaves them empty: between `up` and `down`
//! somebody else may have come to use them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::mounts;

/// The kubelet's socket for device plugins and its notes beside it.
const DEVICE_PLUGINS: &str = "/var/lib/kubelet/device-plugins";

/// Removes what of ours is in them, and those of `absent_before` that are empty then.
pub(super) fn clean<'a>(root: &Path, absent_before: impl Iterator<Item = &'a PathBuf>) {
    for path in in_dir("/var/lib/cni/results").filter(|path| is_of_our_network(path)).chain(log_links_into(root)) {
        remove_file(&path);
    }
    for path in absent_before {
        if path == Path::new(DEVICE_PLUGINS) {
            in_dir(path).for_each(|file| remove_file(&file));
        }
        if path.is_dir() { remove_empty(path) } else { remove_file(path) }
    }
}

fn in_dir(dir: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// CNI keeps the result of each pod, its file named after the network.
fn is_of_our_network(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("podwitness-"))
}

fn log_links_into(root: &Path) -> impl Iterator<Item = PathBuf> {
    in_dir("/var/log/containers").filter(move |path| fs::read_link(path).is_ok_and(|target| target.starts_with(root)))
}

/// None of these files means anything to anyone any more; one that cannot be removed is no reason to stop.
fn remove_file(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Removes a directory and those below it as far as they hold no files.
fn remove_empty(dir: &Path) {
    in_dir(dir).filter(|path| path.is_dir() && !path.is_symlink()).for_each(|below| remove_empty(&below));
    // `ip netns add` mounts its directory onto itself.
    while in_dir(dir).next().is_none() && mounts::is_mounted(dir).unwrap_or(false) && mounts::unmount(dir).is_ok() {}
    let _ = fs::remove_dir(dir);
}
