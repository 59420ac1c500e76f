//! Upstream's own programs, built once from Go modules into a cache outside the source tree.
//!
//! The module files are part of this program, so that it works away from the source tree. The cache's key is made of
//! everything that decides the result.

mod build;
mod go;
mod source;

use std::path::{Path, PathBuf};

pub(crate) use build::ensure_with;
pub use build::{ensure, ensure_unless, is_built};
pub use go::{Go, find_go};
pub use source::{go_version, kubernetes_version};

use crate::error::Doing;
use crate::{Error, Result};

/// What `go build` leaves, with etcd's server under its usual name.
pub const PROGRAMS: [&str; 16] = [
    "bridge",
    "containerd",
    "containerd-shim-runc-v2",
    "coredns",
    "ctr",
    "etcd",
    "host-local",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "loopback",
    "metrics-server",
    "portmap",
];

/// The directory of the built programs, whether they are built yet or not.
pub fn directory() -> Result<PathBuf> {
    Ok(cache()?.join(source::key()).join("bin"))
}

/// Where all builds are kept.
pub(crate) fn cache() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let base = base.ok_or_else(|| Error::Option {
        option: "bin_dir",
        problem: "neither XDG_CACHE_HOME nor HOME is set, so there is no place for the built programs".into(),
    })?;
    Ok(base.join("podwitness").join("kubernetes"))
}

/// Checks that a directory holds every program.
pub(crate) fn check_complete(dir: &Path) -> Result<()> {
    for program in PROGRAMS {
        let path = dir.join(program);
        std::fs::metadata(&path).doing(|| format!("looking for the built program {}", path.display()))?;
    }
    Ok(())
}
