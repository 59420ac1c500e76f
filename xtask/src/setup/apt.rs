//! The distribution's packages.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::tools::Tools;
use crate::run::{capture, line};

/// Whether this is a machine with apt.
pub fn is_there() -> bool {
    ["/usr/bin/apt-get", "/usr/bin/dpkg"].iter().all(|path| Path::new(path).is_file())
}

/// Whether the lists of packages know all of these.
pub fn knows(packages: &[&str]) -> bool {
    is_there() && packages.iter().all(|package| candidate(package).is_some())
}

/// The version that would be installed.
pub fn candidate(package: &str) -> Option<String> {
    let text = capture(Command::new("apt-cache").env("LC_ALL", "C").args(["policy", package])).ok()?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Whether a package is only a name for others.
pub fn is_metapackage(package: &str) -> bool {
    let text = capture(Command::new("apt-cache").args(["show", "--no-all-versions", package]));
    text.is_ok_and(|text| text.lines().any(|line| line == "Architecture: all"))
}

/// `apt-get update`.
pub fn update() -> Result<()> {
    quietly(apt_get().args(["update", "-qq"]))
}

/// Installs packages, and nothing that they only recommend.
pub fn install(packages: &[String]) -> Result<()> {
    quietly(apt_get().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

/// Unpacks packages into a folder of the tools. When root, the libraries that they depend on are installed.
pub fn unpack(tools: &Tools, folder: &str, packages: &[String], root: bool) -> Result<()> {
    let (into, debs) = (tools.unpacked(folder), tools.unpacked("debs"));
    // Afresh: what an earlier try left may be of another version.
    for path in [&into, &debs] {
        _ = fs::remove_dir_all(path);
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    // The download happens as this user; apt would warn that its own cannot write here.
    quietly(apt_get().args(["-o", "APT::Sandbox::User=root", "download", "-qq"]).args(packages).current_dir(&debs))?;
    let mut libraries = Vec::new();
    for deb in fs::read_dir(&debs)?.collect::<Result<Vec<_>, _>>()? {
        quietly(Command::new("dpkg").arg("-x").arg(deb.path()).arg(&into))?;
        let depends = capture(Command::new("dpkg-deb").arg("-f").arg(deb.path()).arg("Depends"))?;
        libraries.extend(library_packages(&depends));
    }
    libraries.retain(|package| !is_installed(package));
    if root && !libraries.is_empty() {
        install(&libraries)?;
    }
    _ = fs::remove_dir_all(&debs);
    Ok(())
}

/// The libraries among the packages of a Depends field; of alternatives the first. nginx' modules are named like libraries and would
/// bring nginx itself.
fn library_packages(depends: &str) -> Vec<String> {
    let names = depends.split(',').filter_map(|one| one.split('|').next()?.split_whitespace().next());
    let is_library = |name: &&str| (name.starts_with("lib") && !name.starts_with("libnginx-mod")) || *name == "zlib1g";
    names.filter(is_library).map(str::to_owned).collect()
}

fn is_installed(package: &str) -> bool {
    let status = capture(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Abbrev}", package]));
    status.is_ok_and(|text| text.starts_with("ii"))
}

/// Says what it runs; what that says is shown only when it fails.
fn quietly(command: &mut Command) -> Result<()> {
    eprintln!("  $ {}", line(command));
    capture(command).map(drop)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_other_packages() {
        let depends = "libc6 (>= 2.34), libssl3t64 (>= 3.0.0) | libssl3, zlib1g (>= 1:1.1.4), libnginx-mod-mail, nginx-common (<< 1.22.1)";
        assert_eq!(library_packages(depends), ["libc6", "libssl3t64", "zlib1g"]);
        assert!(library_packages("").is_empty());
    }
}
