//! The shared libraries of a host's binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Rootfs};

/// Adds the binary's libraries and its loader where the loader will look for them.
pub fn add(rootfs: &mut Rootfs, binary: &Path) -> Result<(), Error> {
    for library in of(binary)? {
        let path = library.to_string_lossy().into_owned();
        rootfs.copy(&library, &path, 0o755)?;
    }
    Ok(())
}

/// Asks the loader itself (`ldd`): it alone knows its search path.
fn of(binary: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |reason: String| Error::Libraries { binary: binary.to_owned(), reason };
    let output =
        Command::new("ldd").arg(binary).env("LC_ALL", "C").output().map_err(|e| failed(format!("ldd: {e}")))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    parse(&String::from_utf8_lossy(&output.stdout)).map_err(failed)
}

/// Lines are `NAME => PATH (ADDRESS)`, `PATH (ADDRESS)` for the loader, and one without a path for the kernel's own.
fn parse(text: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let place = line.split_once(" => ").map_or(line, |(_, place)| place);
        if place == "not found" {
            return Err(format!("`{line}`"));
        }
        if place.starts_with('/') {
            let end = place.find(" (").unwrap_or(place.len());
            found.push(PathBuf::from(&place[..end]));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_every_kind_of_line() {
        let text = "\tlinux-vdso.so.1 (0x00007f)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libz.so.1", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse("\tstatically linked\n").unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_library_that_is_gone_is_named() {
        assert!(parse("\tlibz.so.1 => not found\n").unwrap_err().contains("libz.so.1"));
    }
}
