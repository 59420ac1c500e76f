//! Optimised binaries with the C library inside: for images made from nothing, and for the load generator of demo and tests.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    image::target_folder,
    run::{capture, cargo, run},
    setup::Tools,
};

/// Profiles, as a configuration of cargo's.
const PROFILES: &str = "xtask/src/static_build.toml";

/// The load generator. It is built like the images' binaries so that the dependencies they share are built once.
pub fn loadgen() -> Result<PathBuf> {
    Ok(build(&["loadgen"], &Tools::locate())?.join("loadgen"))
}

/// Builds binaries with the C library inside; returns their folder.
///
/// A target folder of its own: flags are part of what cargo compares, and two sets of them in one folder would build everything anew
/// at each change of hands.
pub fn build(binaries: &[&str], tools: &Tools) -> Result<PathBuf> {
    let triple = host_triple()?;
    let folder = target_folder().join("images-build");
    // Where the sources of dependencies are is part of a binary's panic messages; it must not be part of its digest.
    let home = cargo_home();
    let flags = format!(r#"["-Ctarget-feature=+crt-static","--remap-path-prefix={}=/cargo"]"#, home.display());
    let mut build = cargo();
    // The observer's build script looks for bpf-linker.
    tools.apply(&mut build);
    build
        // These would win over the configuration below, and a build script hands them on to what it builds for the kernel.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .args(["build", "--release", "--target", &triple, "--target-dir"])
        .arg(&folder)
        .args(["--config", &format!("target.{triple}.rustflags={flags}")])
        .args(["--config", PROFILES])
        // Always all packages, so that their dependencies get the same features whichever binary is asked for.
        .args(["-p", "inference", "-p", "observer", "-p", "loadgen"]);
    for binary in binaries {
        build.args(["--bin", binary]);
    }
    run(&mut build).context("cannot build the static binaries")?;
    Ok(folder.join(triple).join("release"))
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// The triple of this machine's own toolchain.
fn host_triple() -> Result<String> {
    let version = capture(Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let Some(host) = host else { bail!("`rustc -vV` does not say which machine it is for:\n{version}") };
    if host.contains("linux") { Ok(host.to_owned()) } else { bail!("images can be made on Linux only, this is {host}") }
}
