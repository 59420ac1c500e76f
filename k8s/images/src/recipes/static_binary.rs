//! A binary in an image that has nothing else.

use std::fs;
use std::path::Path;

use crate::{Error, Rootfs};

/// The ELF program header that names a loader.
const PT_INTERP: u32 = 3;

/// A tree with nothing but that binary.
pub fn rootfs(binary: &Path, path: &str) -> Result<Rootfs, Error> {
    let content = fs::read(binary).map_err(|source| Error::Read { path: binary.to_owned(), source })?;
    if needs_loader(&content) {
        return Err(Error::NotStatic(binary.to_owned()));
    }
    let mut rootfs = Rootfs::new();
    rootfs.file(path, 0o755, content)?;
    Ok(rootfs)
}

/// Whether a file is there that runs where there is nothing else.
pub fn is_static(binary: &Path) -> bool {
    fs::read(binary).is_ok_and(|content| content.starts_with(b"\x7fELF") && !needs_loader(&content))
}

/// Whether an ELF file asks for a loader, which an image from scratch does not have. Not knowing the form is no reason to refuse.
fn needs_loader(elf: &[u8]) -> bool {
    // 64-bit little-endian, as every target of this project is: e_phoff at 32, e_phentsize at 54, e_phnum at 56.
    let Some(header) = elf.get(..64).filter(|header| header.starts_with(b"\x7fELF\x02\x01")) else { return false };
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    // The table follows the header directly in every linker's output, so its offset fits.
    let table = u16_at(32);
    (0..u16_at(56)).any(|n| {
        let at = table + n * u16_at(54);
        elf.get(at..at + 4).is_some_and(|kind| kind == PT_INTERP.to_le_bytes())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_binary_with_a_loader_is_refused() {
        // This test is one, unless it was built static.
        let own = std::env::current_exe().unwrap();
        if cfg!(target_feature = "crt-static") {
            assert!(rootfs(&own, "/x").is_ok());
        } else {
            let text = rootfs(&own, "/x").unwrap_err().to_string();
            assert!(text.contains("crt-static"), "{text}");
        }
        assert!(!needs_loader(b"#!/bin/sh"));
    }
}
