//! Installing bpf-linker from crates.io, against the LLVM that is there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::bpf::Compiler;
use super::tools::Tools;
use crate::run::{capture, cargo, run};

/// The release that this project is built and tested with.
pub const VERSION: &str = "0.13.0";

/// Builds it into the tools' folder.
pub fn install(tools: &Tools) -> Result<()> {
    let Some(compiler) = Compiler::find() else {
        bail!("bpf-linker must fit the compiler of the eBPF object, and there is none yet");
    };
    let mut command = cargo();
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
    command.args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force", "--root"]).arg(tools.folder());
    // A distribution's compiler comes with a shared LLVM of the same major version; rustup's brings its own, which the crate's default
    // features look for.
    if let Compiler::WithCore(_) = &compiler {
        let major = compiler.llvm_major().with_context(|| format!("{} names no LLVM version", compiler.describe()))?;
        let library = shared_library(major)?;
        let prefix = tools.folder().join("llvm");
        link(&library, &prefix.join("lib"))?;
        // Debug: a fifth of the time to build, and as fast here, since the work is LLVM's.
        command.env("LLVM_PREFIX", &prefix).env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.args(["--debug", "--no-default-features", "--features", &format!("llvm-{major}")]);
    }
    run(&mut command).context("bpf-linker could not be installed")
}

/// The shared LLVM of that major version, as the loader knows it.
fn shared_library(major: u32) -> Result<PathBuf> {
    // Not on everybody's PATH.
    let list = capture(Command::new("/sbin/ldconfig").arg("-p"))?;
    match find(&list, major) {
        Some(path) => Ok(path),
        None => bail!(
            "there is no shared libLLVM {major}; install it: apt-get install -y --no-install-recommends libllvm{major}"
        ),
    }
}

/// From lines such as `libLLVM.so.22.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libLLVM.so.22.1`.
fn find(list: &str, major: u32) -> Option<PathBuf> {
    let (new, old) = (format!("libLLVM.so.{major}."), format!("libLLVM-{major}.so"));
    let line = list.lines().map(str::trim).find(|line| line.starts_with(&new) || line.starts_with(&old))?;
    line.split_once(" => ").map(|(_, path)| PathBuf::from(path))
}

/// Puts the library where the crate's build looks: `PREFIX/lib/libLLVM.so`.
fn link(library: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let link = folder.join("libLLVM.so");
    _ = fs::remove_file(&link);
    symlink(library, &link).with_context(|| format!("cannot link {}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_llvm_is_chosen() {
        let list = "\tlibLLVM.so.22.1 (libc6,x86-64) => /lib/x/libLLVM.so.22.1\n\tlibLLVM-15.so.1 (libc6,x86-64) => /lib/x/libLLVM-15.so.1\n";
        assert_eq!(find(list, 22), Some("/lib/x/libLLVM.so.22.1".into()));
        assert_eq!(find(list, 15), Some("/lib/x/libLLVM-15.so.1".into()));
        assert_eq!(find(list, 2), None);
    }
}
