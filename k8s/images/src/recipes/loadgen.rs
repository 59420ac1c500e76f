//! The load generator, from scratch: one static binary.

use std::path::Path;

use super::static_binary;
use crate::{Error, Image, ImageConfig, names};

/// From a static `loadgen` binary.
pub fn loadgen(binary: &Path) -> Result<Image, Error> {
    let config = ImageConfig { entrypoint: vec!["/loadgen".into()], ..ImageConfig::default() };
    Ok(Image { reference: names::LOADGEN.into(), rootfs: static_binary::rootfs(binary, "/loadgen")?, config })
}
