//! Finding a Go that can build the tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::source::go_version;
use crate::command::{find_program, run};
use crate::{Error, Result};

/// From this version on, Go fetches the version a module asks for by itself.
const FETCHES_TOOLCHAINS: (u32, u32, u32) = (1, 21, 0);

/// A Go that is new enough, or can become so.
#[derive(Debug, Clone)]
pub struct Go {
    /// The `go` command.
    pub path: PathBuf,
    /// Its version, such as `1.26.8`.
    pub version: String,
    /// It is older than go.mod wants and will fetch a newer one first.
    pub fetches_newer: bool,
}

/// Looks in PATH and where Go is usually installed; the newest usable one wins.
pub fn find_go() -> Result<Go> {
    let fix = || {
        let wanted = go_version();
        format!(
            "install Go {wanted} or newer from https://go.dev/dl/ (unpacked to /usr/local/go it is found there), \
             or a distribution's package of at least 1.21, which fetches {wanted} by itself"
        )
    };
    let candidates: Vec<PathBuf> = candidates().into_iter().filter(|path| path.is_file()).collect();
    if candidates.is_empty() {
        return Err(Error::Go {
            problem: "Go is not installed; Kubernetes is built from source with it".into(),
            fix: fix(),
        });
    }
    let found: Vec<(PathBuf, String)> =
        candidates.into_iter().filter_map(|path| version_of(&path).map(|version| (path, version))).collect();
    let wanted = parse(go_version());
    for (path, version) in &found {
        if parse(version) >= wanted {
            return Ok(Go { path: path.clone(), version: version.clone(), fetches_newer: false });
        }
    }
    for (path, version) in &found {
        if parse(version) >= FETCHES_TOOLCHAINS && toolchain(path) != "local" {
            return Ok(Go { path: path.clone(), version: version.clone(), fetches_newer: true });
        }
    }
    let seen: Vec<String> = found.iter().map(|(path, version)| format!("{} is {version}", path.display())).collect();
    Err(Error::Go { problem: format!("Go is too old to build Kubernetes: {}", seen.join(", ")), fix: fix() })
}

fn candidates() -> Vec<PathBuf> {
    let home = std::env::var("HOME").unwrap_or_default();
    let usual = ["/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/snap/bin/go"].into_iter().map(PathBuf::from);
    find_program("go").into_iter().chain(usual).chain([Path::new(&home).join("go/bin/go")]).collect()
}

/// Asked outside any module, so that the answer is this Go's own version.
fn version_of(path: &Path) -> Option<String> {
    let text = run(Command::new(path).arg("version").env("GOTOOLCHAIN", "local").current_dir("/")).ok()?;
    text.split_whitespace().nth(2)?.strip_prefix("go").map(str::to_owned)
}

fn toolchain(path: &Path) -> String {
    let text = run(Command::new(path).args(["env", "GOTOOLCHAIN"]).current_dir("/"));
    text.map_or_else(|_| "local".into(), |text| text.trim().to_owned())
}

/// `1.26.8`, `1.26` and `1.26rc1` as numbers; what is no number counts as 0.
fn parse(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    });
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse("1.26.10") > parse("1.26.9"));
        assert!(parse("1.19.8") < FETCHES_TOOLCHAINS);
        assert_eq!(parse("1.27rc1"), (1, 27, 0));
    }
}
