//! The agent, from scratch: one static binary.

use std::path::Path;

use super::static_binary;
use crate::{Error, Image, ImageConfig, names};

/// From a static `observer` binary.
pub fn observer(binary: &Path) -> Result<Image, Error> {
    let config = ImageConfig { entrypoint: vec!["/observer".into()], ..ImageConfig::default() };
    Ok(Image { reference: names::OBSERVER.into(), rootfs: static_binary::rootfs(binary, "/observer")?, config })
}
