//! The machine-wide kernel settings that a running cluster changes, as they were before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::Doing;

/// Makes the kernel count each BPF program's own time: what the observer costs. An unprivileged pod cannot ask for it.
pub(crate) const BPF_STATS: &str = "kernel/bpf_stats_enabled";

/// [`BPF_STATS`], and what a kubelet sets at its start, below `/proc/sys`.
const CHANGED: [&str; 7] = [
    BPF_STATS,
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
    CHANGED.map(|name| name.replace('/', ".")).join(", ")
}

/// Reads the current values.
pub(crate) fn read_all() -> BTreeMap<String, String> {
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(path_of(name)).ok()?.trim().to_owned()));
    CHANGED.into_iter().filter_map(read).collect()
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

/// Sets a value: of the machine, or of the calling thread's network namespace where it belongs to one.
pub(crate) fn set(name: &str, value: &str) -> Result<()> {
    let path = path_of(name);
    fs::write(&path, value).doing(|| format!("writing {value} to {}", path.display()))
}

/// Whether this kernel has the setting.
pub(crate) fn exists(name: &str) -> bool {
    path_of(name).exists()
}
