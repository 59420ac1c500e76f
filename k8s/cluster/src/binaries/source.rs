//! The Go module that names the tools, and what follows from it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Result;
use crate::error::Doing;

const GO_MOD: &str = include_str!("../../go.mod");
const GO_SUM: &str = include_str!("../../go.sum");
const COREDNS: &str = include_str!("../../coredns/main.go");

/// The module's files, by their paths.
const FILES: [(&str, &str); 3] = [("go.mod", GO_MOD), ("go.sum", GO_SUM), ("coredns/main.go", COREDNS)];

/// The version of Kubernetes that go.mod names, such as `v1.36.3`.
pub fn kubernetes_version() -> &'static str {
    required("k8s.io/kubernetes").unwrap_or("v0.0.0")
}

/// The least version of Go that go.mod accepts, such as `1.26.8`.
pub fn go_version() -> &'static str {
    let line = GO_MOD.lines().find_map(|line| line.strip_prefix("go "));
    line.map_or("1.21", str::trim)
}

fn required(module: &str) -> Option<&'static str> {
    let words = GO_MOD.lines().map(|line| line.trim().trim_start_matches("require ").split_whitespace());
    words.into_iter().find_map(|mut words| (words.next() == Some(module)).then(|| words.next()).flatten())
}

/// Linker flags: no debug information, and the version that `kubectl get nodes` shows.
pub(super) fn linker_flags() -> String {
    let version = kubernetes_version();
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or("0"), parts.next().unwrap_or("0"));
    let stamp = "k8s.io/component-base/version";
    format!(
        "-s -w -X {stamp}.gitVersion={version} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor} -X {stamp}.gitTreeState=clean"
    )
}

/// A name for the result: the same inputs, the same name.
pub(super) fn key() -> String {
    let mut hash = Sha256::new();
    for (path, text) in FILES {
        for part in [path, text] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
    }
    hash.update(linker_flags());
    hash.update(std::env::consts::ARCH);
    hash.finalize().iter().take(10).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
}

/// Writes the module's files.
pub(super) fn write(dir: &Path) -> Result<()> {
    for (name, text) in FILES {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).doing(|| format!("making {}", parent.display()))?;
        fs::write(&path, text).doing(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_go_mod() {
        assert!(kubernetes_version().starts_with("v1."), "{}", kubernetes_version());
        assert!(go_version().starts_with("1."), "{}", go_version());
        assert!(linker_flags().contains(&format!("gitVersion={} ", kubernetes_version())));
    }

    #[test]
    fn every_tool_is_expected_and_every_expected_program_is_a_tool() {
        let block = GO_MOD.split("tool (").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
        let mut tools: Vec<&str> = block
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            // A version suffix is not the program's name; Go calls etcd's server `server`, and we call it etcd.
            .map(
                |path| {
                    if path == "go.etcd.io/etcd/server/v3" { "etcd" } else { path.rsplit('/').next().unwrap_or(path) }
                },
            )
            .collect();
        tools.sort_unstable();
        assert_eq!(tools, super::super::PROGRAMS);
    }
}
