//! Where setup puts what it installs for this project alone, and how other verbs find it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use podwitness_images::is_static;
use podwitness_images::recipes::{BUSYBOX_PATH, NGINX_PATH};

/// The folder of this user's own tools: `${XDG_CACHE_HOME:-~/.cache}/podwitness/tools`.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Where the tools are, or will be.
    pub fn locate() -> Self {
        let cache = env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache");
        Self { folder: cache.unwrap_or_else(home).join("podwitness/tools") }
    }

    /// What `cargo install --root` gets.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Programs.
    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// PATH with the tools behind everything that was there: what the user has chosen wins.
    pub fn path(&self) -> OsString {
        let path = env::var_os("PATH").unwrap_or_default();
        let all = env::split_paths(&path).chain([self.bin(), below(&self.unpacked("nginx"), "/usr/sbin")]);
        // Only a folder with a colon in its name cannot be joined; then the tools are not found and the user is told which.
        env::join_paths(all).unwrap_or(path)
    }

    /// Lets a command find the tools.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("PATH", self.path())
    }

    /// A program on PATH or among the tools.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        env::split_paths(&self.path()).map(|folder| folder.join(program)).find(|path| path.is_file())
    }

    /// Where a distribution's package is unpacked that is not to be installed.
    pub fn unpacked(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The tree below which nginx and its configuration lie: `/` when it is installed.
    pub fn nginx_root(&self) -> Option<PathBuf> {
        let roots = [PathBuf::from("/"), self.unpacked("nginx")];
        roots.into_iter().find(|root| below(root, NGINX_PATH).is_file())
    }

    /// A busybox that needs no library.
    pub fn busybox(&self) -> Option<PathBuf> {
        let unpacked = self.unpacked("busybox");
        let candidates = [BUSYBOX_PATH.into(), below(&unpacked, BUSYBOX_PATH), below(&unpacked, "/usr/bin/busybox")];
        candidates.into_iter().find(|path: &PathBuf| is_static(path))
    }
}

/// An absolute path as seen from another root.
pub fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}
