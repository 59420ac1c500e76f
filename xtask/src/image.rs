//! `cargo xtask image`: static binaries, and the archives of images made of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use podwitness_images::recipes::{self, Release};
use podwitness_images::{Archive, Image, names, write};

use crate::run::{capture, cargo, root, run as run_command};
use crate::setup::Tools;

/// Which images to make, and where to.
#[derive(Args, Clone, Debug)]
pub struct ImageArgs {
    /// Images to make
    #[arg(value_enum, default_value = "all")]
    pub images: Vec<Which>,
    /// Folder for the archives [default: target/images]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The images by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The agent
    Observer,
    /// The inference server, as http-echo 0.2.3 and as 1.0.0
    Inference,
    /// The gateway, from the distribution's nginx, under two tags
    Nginx,
    /// The pods' first process
    Pause,
    /// A shell for debug pods, from the distribution's busybox-static
    Busybox,
    /// All of them
    All,
}

/// Makes them, and says on stdout what they are.
pub fn run(args: &ImageArgs) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(default_folder);
    for Archive { reference, digest, size_bytes, path, written } in make(&args.images, &out)? {
        let state = if written { "" } else { "  (unchanged)" };
        println!("{reference:36} {digest}  {:>8} KiB  {}{state}", size_bytes.div_ceil(1024), path.display());
    }
    Ok(())
}

/// Makes the images' archives in a folder. Nothing is built or written again that is there unchanged.
pub fn make(which: &[Which], out: &Path) -> Result<Vec<Archive>> {
    let tools = Tools::locate();
    let wants = |one| which.contains(&one) || which.contains(&Which::All);
    let mut binaries = Vec::new();
    if wants(Which::Pause) {
        binaries.push("pause");
    }
    if wants(Which::Inference) {
        binaries.push("inference");
    }
    if wants(Which::Observer) {
        binaries.push("observer");
    }
    let built = if binaries.is_empty() { PathBuf::new() } else { build_static(&binaries, &tools)? };

    let mut images: Vec<Image> = Vec::new();
    if wants(Which::Pause) {
        images.push(recipes::pause(&built.join("pause"))?);
    }
    if wants(Which::Inference) {
        for release in [Release::V0_2_3, Release::V1_0_0] {
            images.push(recipes::inference(&built.join("inference"), release)?);
        }
    }
    let busybox = tools.busybox();
    if wants(Which::Nginx) {
        let root = tools.nginx_root().context("nginx is missing; run `cargo xtask setup`")?;
        for reference in [names::NGINX, names::NGINX_NEXT] {
            images.push(recipes::nginx(reference, &root, busybox.as_deref())?);
        }
    }
    match busybox {
        Some(path) if wants(Which::Busybox) => images.push(recipes::busybox(&path)?),
        // Asked for by name it must be there; among all it is a convenience.
        None if which.contains(&Which::Busybox) => bail!("a static busybox is missing; run `cargo xtask setup`"),
        _ => {}
    }
    if wants(Which::Observer) {
        images.push(recipes::observer(&built.join("observer"))?);
    }
    images.iter().map(|image| Ok(write(image, out)?)).collect()
}

/// Where archives go unless told otherwise.
pub fn default_folder() -> PathBuf {
    target_folder().join("images")
}

fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Dependencies whose speed no request ever waits for: talking to the API server, reading the command line. Optimising them fully
/// takes minutes of a first build.
const COLD: &[&str] = &[
    "aws-lc-sys",
    "clap_builder",
    "jiff",
    "jsonpath-rust",
    "k8s-openapi",
    "kube-client",
    "regex-automata",
    "rustls",
    "serde-saphyr",
];

/// Builds binaries with the C library inside; returns their folder.
///
/// A target folder of its own: flags are part of what cargo compares, and two sets of them in one folder would build everything anew
/// at each change of hands.
fn build_static(binaries: &[&str], tools: &Tools) -> Result<PathBuf> {
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
        // An image needs no symbols.
        .args(["--config", "profile.release.debug=false", "--config", r#"profile.release.strip="symbols""#])
        // Always both packages, so that their dependencies get the same features whichever binary is asked for.
        .args(["-p", "inference", "-p", "observer"]);
    for dependency in COLD {
        build.args(["--config", &format!("profile.release.package.{dependency}.opt-level=1")]);
    }
    for binary in binaries {
        build.args(["--bin", binary]);
    }
    run_command(&mut build).context("cannot build the static binaries")?;
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
