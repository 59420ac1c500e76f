//! The inference server, once for each way to die.

use std::path::Path;

use super::static_binary;
use crate::{Error, Image, ImageConfig, names};

/// The http-echo release that an image stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Serves on after SIGTERM.
    V0_2_3,
    /// Closes its listener on SIGTERM.
    V1_0_0,
}

/// From a static `inference` binary. No shell, as in http-echo's own images: an `exec` hook with `/bin/sh` fails there as it does
/// here.
pub fn inference(binary: &Path, release: Release) -> Result<Image, Error> {
    let (reference, behaviour) = match release {
        Release::V0_2_3 => (names::INFERENCE_0_2_3, "0.2.3"),
        Release::V1_0_0 => (names::INFERENCE_1_0_0, "1.0.0"),
    };
    let config = ImageConfig {
        entrypoint: vec!["/inference".into()],
        env: vec![format!("INFERENCE_BEHAVIOUR={behaviour}")],
        ..ImageConfig::default()
    };
    Ok(Image { reference: reference.into(), rootfs: static_binary::rootfs(binary, "/inference")?, config })
}
