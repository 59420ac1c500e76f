//! The pod's first process.

use std::path::Path;

use super::static_binary;
use crate::{Error, Image, ImageConfig, names};

/// From a static `pause` binary.
pub fn pause(binary: &Path) -> Result<Image, Error> {
    let config = ImageConfig { entrypoint: vec!["/pause".into()], ..ImageConfig::default() };
    Ok(Image { reference: names::PAUSE.into(), rootfs: static_binary::rootfs(binary, "/pause")?, config })
}
