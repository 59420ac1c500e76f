//! What compiles and links the eBPF object: a rustc with `core` for it, and bpf-linker with an LLVM as new.
//!
//! The observer's build script looks in the same places in the same order.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use super::need::{Need, Remedy};
use super::tools::Tools;
use crate::run::capture;

const DISTRIBUTION: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];
const CORE: &str = "BPF core library";
const LINKER: &str = "bpf-linker";

/// A compiler that can make the eBPF object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// It comes with `core` for the BPF target.
    WithCore(PathBuf),
    /// rustup's nightly, which builds `core` from its sources.
    Nightly,
}

impl Compiler {
    /// The one that will be used.
    pub fn find() -> Option<Self> {
        let named = env::var_os("PODWITNESS_BPF_RUSTC").map(PathBuf::from);
        let with_core = named.into_iter().chain([PathBuf::from("/usr/bin/rustc")]).find(|rustc| has_core(rustc));
        with_core.map(Self::WithCore).or_else(|| nightly_has_sources().then_some(Self::Nightly))
    }

    /// Its name and version.
    pub fn describe(&self) -> String {
        let version = self.version().lines().next().unwrap_or_default().to_owned();
        match self {
            Self::WithCore(path) => format!("{} ({version})", path.display()),
            Self::Nightly => format!("rustup's {version} with rust-src"),
        }
    }

    /// Major version of the LLVM inside.
    pub fn llvm_major(&self) -> Option<u32> {
        llvm_major(&self.version())
    }

    fn version(&self) -> String {
        let mut command = match self {
            Self::WithCore(path) => Command::new(path),
            Self::Nightly => nightly_rustc(),
        };
        capture(command.arg("-vV")).unwrap_or_default()
    }
}

fn nightly_rustc() -> Command {
    let toolchain = env::var("PODWITNESS_BPF_TOOLCHAIN").unwrap_or_else(|_| "nightly".into());
    let mut command = Command::new("rustup");
    command.args(["run", &toolchain, "rustc"]);
    command
}

fn has_core(rustc: &Path) -> bool {
    let target = if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };
    let folder = capture(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    let files = folder.ok().and_then(|folder| std::fs::read_dir(folder.trim()).ok());
    files.is_some_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
    })
}

fn nightly_has_sources() -> bool {
    let sysroot = capture(nightly_rustc().args(["--print", "sysroot"]));
    sysroot.is_ok_and(|root| Path::new(root.trim()).join("lib/rustlib/src/rust/library/core").is_dir())
}

fn llvm_major(version: &str) -> Option<u32> {
    version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?.split('.').next()?.parse().ok()
}

/// Looks for the compiler.
pub fn core() -> Need {
    if let Some(object) = env::var_os("PODWITNESS_BPF_OBJECT") {
        return Need::there(CORE, true, format!("not needed: PODWITNESS_BPF_OBJECT={}", object.display()));
    }
    if let Some(compiler) = Compiler::find() {
        return Need::there(CORE, true, compiler.describe());
    }
    let remedy = if apt::knows(&DISTRIBUTION) && nix::unistd::geteuid().is_root() {
        Remedy::Packages(DISTRIBUTION.map(str::to_owned).into())
    } else if capture(Command::new("rustup").arg("--version")).is_ok() {
        Remedy::Nightly
    } else if apt::knows(&DISTRIBUTION) {
        Remedy::Packages(DISTRIBUTION.map(str::to_owned).into())
    } else {
        Remedy::ByHand("install rustup, then: rustup toolchain install nightly --component rust-src".into())
    };
    Need::missing(CORE, true, "no rustc here can compile for the kernel", remedy)
}

/// Looks for bpf-linker, and whether its LLVM reads what the compiler writes.
pub fn linker(tools: &Tools) -> Need {
    if env::var_os("PODWITNESS_BPF_OBJECT").is_some() {
        return Need::there(LINKER, true, "not needed");
    }
    let missing = |why: String| Need::missing(LINKER, true, why, Remedy::Linker);
    let Some(path) = tools.find("bpf-linker") else { return missing("the eBPF object is linked with it".into()) };
    let Ok(version) = capture(Command::new(&path).arg("--version")) else {
        return missing(format!("{} does not start", path.display()));
    };
    let detail = format!("{} ({})", path.display(), version.trim());
    match (shared_llvm_major(&path), Compiler::find().and_then(|compiler| compiler.llvm_major())) {
        (Some(has), Some(wants)) if has < wants => {
            missing(format!("{} has LLVM {has}, the compiler LLVM {wants}", path.display()))
        }
        _ => Need::there(LINKER, true, detail),
    }
}

/// Major version of the libLLVM that a program loads; `None` when it brings its own.
fn shared_llvm_major(program: &Path) -> Option<u32> {
    parse_shared_llvm(&capture(Command::new("ldd").env("LC_ALL", "C").arg(program)).ok()?)
}

/// Debian names it `libLLVM.so.22.1` and named it `libLLVM-15.so.1`.
fn parse_shared_llvm(ldd: &str) -> Option<u32> {
    let name = ldd.split_whitespace().find(|word| word.starts_with("libLLVM"))?;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_is_read_from_the_compiler_s_and_the_loader_s_words() {
        assert_eq!(llvm_major("rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
        assert_eq!(parse_shared_llvm("\tlibLLVM.so.22.1 => /lib/libLLVM.so.22.1 (0x0)\n"), Some(22));
        assert_eq!(parse_shared_llvm("\tlibLLVM-15.so.1 => /lib/libLLVM-15.so.1 (0x0)\n"), Some(15));
        assert_eq!(parse_shared_llvm("\tlibc.so.6 => /lib/libc.so.6 (0x0)\n"), None);
    }
}
