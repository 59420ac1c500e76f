//! What this machine offers, before anything is attached.

use std::path::PathBuf;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at (`kernel`, `btf`, `cgroup2`, …).
    pub name: &'static str,
    /// It is as it should be.
    pub ok: bool,
    /// The agent cannot run without it.
    pub required: bool,
    /// What was found.
    pub detail: String,
    /// What to do, when something is wrong.
    pub fix: Option<String>,
}

/// Looks at kernel, BTF, cgroup2, tracefs and capabilities. Attaches nothing.
pub fn probe() -> Vec<Finding> {
    Vec::new()
}

/// The mount point of the cgroup2 hierarchy.
pub fn cgroup2_mount() -> Option<PathBuf> {
    None
}
