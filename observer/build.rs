//! Builds the eBPF object for the feature `agent`, puts it at `$OUT_DIR/observer-bpf`, and tells the crate how.
//!
//! In this order: a prebuilt object that `PODWITNESS_BPF_OBJECT` names; a rustc that ships `core` for the BPF target
//! (`PODWITNESS_BPF_RUSTC`, else the distribution's `/usr/bin/rustc`); rustup's nightly with `-Zbuild-std=core`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const HOW: &str = "\
the eBPF object needs one of:
  - Debian/Ubuntu: apt-get install --no-install-recommends rustc-web libstd-rust-web-dev-bpf
  - rustup:        rustup toolchain install nightly --component rust-src
  - an object built elsewhere, named by PODWITNESS_BPF_OBJECT
and, for the first two, bpf-linker: cargo install bpf-linker (its LLVM must be as new as the compiler's)
`cargo xtask setup` installs what is missing";

fn main() {
    // Not PATH, which differs from shell to shell: an object that one linker has made of these sources does not go stale by finding another,
    // and a build that found none is tried again in any case.
    for variable in ["PODWITNESS_BPF_OBJECT", "PODWITNESS_BPF_RUSTC", "PODWITNESS_BPF_TOOLCHAIN", "XDG_CACHE_HOME"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_AGENT").is_none() {
        return;
    }
    let built_with = object().unwrap_or_else(|problem| {
        eprintln!("error: {problem}\n\n{HOW}");
        exit(1);
    });
    println!("cargo::rustc-env=PODWITNESS_BPF_BUILT_WITH={built_with}");
}

fn object() -> Result<String, String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let destination = out.join("observer-bpf");
    if let Some(prebuilt) = env::var_os("PODWITNESS_BPF_OBJECT").map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", prebuilt.display());
        fs::copy(&prebuilt, &destination).map_err(|e| format!("PODWITNESS_BPF_OBJECT={}: {e}", prebuilt.display()))?;
        return Ok(format!("prebuilt object {}", prebuilt.display()));
    }
    for path in ["../observer-ebpf/src", "../observer-ebpf/Cargo.toml", "../Cargo.lock", "../Cargo.toml"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let endian = if variable("CARGO_CFG_TARGET_ENDIAN")? == "big" { "bpfeb" } else { "bpfel" };
    let target = format!("{endian}-unknown-none");
    let (linker, linker_dir) = linker().ok_or("bpf-linker was not found on PATH or in podwitness' cache")?;
    let (mut cargo, compiler) = compiler(&target)?;

    for inherited in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTDOC"] {
        cargo.env_remove(inherited);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let path =
        env::join_paths(std::iter::once(linker_dir).chain(env::split_paths(&path))).map_err(|e| e.to_string())?;
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    // Beside the profiles: one build serves debug, release and tests.
    let target_dir = out.ancestors().nth(4).unwrap_or(&out).join("bpf");
    cargo
        .env("PATH", path)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            format!("--cfg=bpf_target_arch=\"{arch}\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf"),
        )
        .args(["--package", "observer-ebpf", "--bin", "observer-bpf", "--release", "--target", &target, "--target-dir"])
        .arg(&target_dir);
    let status = cargo.status().map_err(|e| format!("cannot run {cargo:?}: {e}"))?;
    if !status.success() {
        return Err(format!("building the eBPF object with {compiler} and {linker} failed"));
    }
    let built = target_dir.join(&target).join("release/observer-bpf");
    fs::copy(&built, &destination).map_err(|e| format!("{}: {e}", built.display()))?;
    Ok(format!("{compiler}, {linker}"))
}

/// The cargo command to use, and the compiler's name for people.
fn compiler(target: &str) -> Result<(Command, String), String> {
    let named = env::var_os("PODWITNESS_BPF_RUSTC").map(PathBuf::from);
    if let Some(named) = &named
        && !has_core(named, target)
    {
        return Err(format!("PODWITNESS_BPF_RUSTC={} has no core for {target}", named.display()));
    }
    let candidates = [named, Some(PathBuf::from("/usr/bin/rustc"))];
    if let Some(rustc) = candidates.into_iter().flatten().find(|rustc| has_core(rustc, target)) {
        println!("cargo::rerun-if-changed={}", rustc.display());
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // aya-ebpf uses features that are not stable.
        cargo.env("RUSTC", &rustc).env("RUSTC_BOOTSTRAP", "1").arg("build");
        let version = version(Command::new(&rustc).arg("--version"));
        return Ok((cargo, format!("{} ({}, prebuilt core)", version, rustc.display())));
    }
    let toolchain = env::var("PODWITNESS_BPF_TOOLCHAIN").unwrap_or_else(|_| "nightly".into());
    let sysroot = version(Command::new("rustup").args(["run", &toolchain, "rustc", "--print", "sysroot"]));
    if !Path::new(&sysroot).join("lib/rustlib/src/rust/library/core").is_dir() {
        return Err(format!("neither a rustc with core for {target} nor rustup's {toolchain} with rust-src was found"));
    }
    let mut cargo = Command::new("rustup");
    cargo
        .args(["run", &toolchain, "cargo", "build", "-Zbuild-std=core"])
        .env_remove("RUSTC")
        .env_remove("RUSTC_BOOTSTRAP");
    let version = version(Command::new("rustup").args(["run", &toolchain, "rustc", "--version"]));
    Ok((cargo, format!("{version} (rustup {toolchain}, -Zbuild-std=core)")))
}

fn has_core(rustc: &Path, target: &str) -> bool {
    let directory = version(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    fs::read_dir(directory)
        .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
}

/// bpf-linker's name and version, and the directory it is in.
fn linker() -> Option<(String, PathBuf)> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .map(|cache| cache.join("podwitness/tools/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let directory = env::split_paths(&path).chain(cache).find(|directory| directory.join("bpf-linker").is_file())?;
    let linker = directory.join("bpf-linker");
    println!("cargo::rerun-if-changed={}", linker.display());
    Some((version(Command::new(&linker).arg("--version")), directory))
}

/// First line of a command's output; empty when it fails.
fn version(command: &mut Command) -> String {
    command
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned()))
        .unwrap_or_default()
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: run this by cargo"))
}
