//! The machine-wide kernel settings a kubelet changes, as they were before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::Doing;

/// What a kubelet sets at its start, below `/proc/sys`.
const CHANGED_BY_KUBELET: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

fn path_of(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

/// Their names as users know them.
pub(crate) fn names() -> String {
    CHANGED_BY_KUBELET.map(|name| name.replace('/', ".")).join(", ")
}

/// Reads the current values.
pub(crate) fn read_all() -> BTreeMap<String, String> {
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(path_of(name)).ok()?.trim().to_owned()));
    CHANGED_BY_KUBELET.into_iter().filter_map(read).collect()
}

/// Writes back those that differ; returns what was changed.
pub(crate) fn restore(saved: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let mut restored = Vec::new();
    for (name, value) in saved {
        let path = path_of(name);
        if fs::read_to_string(&path).is_ok_and(|current| current.trim() != value) {
            fs::write(&path, value).doing(|| format!("writing {}", path.display()))?;
            restored.push(name.replace('/', "."));
        }
    }
    Ok(restored)
}

/// Sets a value that belongs to the calling thread's network namespace.
pub(crate) fn set(name: &str, value: &str) -> Result<()> {
    let path = path_of(name);
    fs::write(&path, value).doing(|| format!("writing {value} to {}", path.display()))
}

/// Whether this kernel has the setting.
pub(crate) fn exists(name: &str) -> bool {
    path_of(name).exists()
}
