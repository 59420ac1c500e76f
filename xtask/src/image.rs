//! `cargo xtask image`: static binaries, and the archives of images made of them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use podwitness_images::recipes::{self, Release};
use podwitness_images::{Archive, Image, names, write};

use crate::run::root;
use crate::setup::Tools;
use crate::static_build;

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
    /// The load generator, for `loadgen job`
    Loadgen,
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
    if wants(Which::Loadgen) {
        binaries.push("loadgen");
    }
    let built = if binaries.is_empty() { PathBuf::new() } else { static_build::build(&binaries, &tools)? };

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
    if wants(Which::Loadgen) {
        images.push(recipes::loadgen(&built.join("loadgen"))?);
    }
    images.iter().map(|image| Ok(write(image, out)?)).collect()
}

/// Where archives go unless told otherwise.
pub fn default_folder() -> PathBuf {
    target_folder().join("images")
}

/// Where cargo builds.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
