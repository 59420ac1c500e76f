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
    for path in cni_results_of(root).chain(log_links_into(root)) {
        remove_file(&path);
    }
    // What is inside before what is around it.
    let mut absent_before: Vec<&PathBuf> = absent_before.collect();
    absent_before.sort_unstable_by(|one, other| other.cmp(one));
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

/// CNI keeps a result for each interface of each pod, the loopback included. Each names the pod's network namespace,
/// and those of ours are mounted below the root.
fn cni_results_of(root: &Path) -> impl Iterator<Item = PathBuf> {
    let mark = format!("\"netns\":\"{}/", root.display());
    in_dir("/var/lib/cni/results").filter(move |path| fs::read_to_string(path).is_ok_and(|text| text.contains(&mark)))
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
