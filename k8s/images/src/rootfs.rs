//! The files of an image, and their layer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tar::{EntryType, Header};

use crate::Error;

/// A tree of files; what is put in under the same path later wins.
#[derive(Clone, Debug, Default)]
pub struct Rootfs {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Directory { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Symlink { target: String },
}

impl Rootfs {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory.
    pub fn directory(&mut self, path: &str, mode: u32) -> Result<&mut Self, Error> {
        self.put(path, Entry::Directory { mode })
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Result<&mut Self, Error> {
        self.put(path, Entry::File { mode, content: content.into() })
    }

    /// Adds a copy of a host's file; symbolic links are followed.
    pub fn copy(&mut self, from: &Path, path: &str, mode: u32) -> Result<&mut Self, Error> {
        let content = fs::read(from).map_err(|source| Error::Read { path: from.to_owned(), source })?;
        self.file(path, mode, content)
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<&mut Self, Error> {
        self.put(path, Entry::Symlink { target: target.to_owned() })
    }

    fn put(&mut self, path: &str, entry: Entry) -> Result<&mut Self, Error> {
        let parts: Vec<&str> = path.split('/').collect();
        let clean =
            parts.len() > 1 && parts[0].is_empty() && parts[1..].iter().all(|part| !matches!(*part, "" | "." | ".."));
        if !clean {
            return Err(Error::BadPath(path.to_owned()));
        }
        for depth in 2..parts.len() {
            self.entries.entry(parts[1..depth].join("/")).or_insert(Entry::Directory { mode: 0o755 });
        }
        self.entries.insert(parts[1..].join("/"), entry);
        Ok(self)
    }

    /// The tree as an uncompressed tar: sorted, owned by root, dated 1970.
    ///
    /// Not compressed: archives are loaded from the same machine, and what a compressor makes of the same input may change with its
    /// version.
    pub fn to_layer(&self) -> Result<Vec<u8>, Error> {
        let mut layer = tar::Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let mut header = Header::new_gnu();
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            match entry {
                Entry::Directory { mode } => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(*mode);
                    header.set_size(0);
                    layer.append_data(&mut header, format!("{path}/"), std::io::empty())
                }
                Entry::File { mode, content } => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(content.len() as u64);
                    layer.append_data(&mut header, path, content.as_slice())
                }
                Entry::Symlink { target } => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    layer.append_link(&mut header, path, target)
                }
            }
            .map_err(Error::Pack)?;
        }
        layer.into_inner().map_err(Error::Pack)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn order_of_calls_does_not_change_the_layer() {
        let mut a = Rootfs::new();
        a.file("/etc/passwd", 0o644, "root")
            .unwrap()
            .file("/bin/sh", 0o755, "#")
            .unwrap()
            .symlink("/sh", "bin/sh")
            .unwrap();
        let mut b = Rootfs::new();
        b.symlink("/sh", "bin/sh")
            .unwrap()
            .file("/bin/sh", 0o755, "#")
            .unwrap()
            .file("/etc/passwd", 0o644, "root")
            .unwrap();
        assert_eq!(a.to_layer().unwrap(), b.to_layer().unwrap());
    }

    #[test]
    fn parents_come_first_and_everything_is_root_s() {
        let mut rootfs = Rootfs::new();
        rootfs.file("/var/lib/nginx/x", 0o640, "1").unwrap().directory("/tmp", 0o1777).unwrap();
        let layer = rootfs.to_layer().unwrap();
        let seen: Vec<(String, u32, u64, u64)> = tar::Archive::new(layer.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().display().to_string();
                (path, header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap())
            })
            .collect();
        let expected = [
            ("tmp/", 0o1777),
            ("var/", 0o755),
            ("var/lib/", 0o755),
            ("var/lib/nginx/", 0o755),
            ("var/lib/nginx/x", 0o640),
        ];
        assert_eq!(seen, expected.map(|(path, mode)| (path.to_owned(), mode, 0, 0)));
    }

    #[test]
    fn paths_that_leave_the_image_are_refused() {
        for bad in ["etc/passwd", "/", "", "/a/../b", "/a//b", "/a/", "/./a"] {
            assert!(Rootfs::new().directory(bad, 0o755).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_names_survive() {
        let path = format!("/{}/{}", "d".repeat(90), "f".repeat(120));
        let mut rootfs = Rootfs::new();
        rootfs.file(&path, 0o644, "x").unwrap();
        let layer = rootfs.to_layer().unwrap();
        let last = tar::Archive::new(layer.as_slice())
            .entries()
            .unwrap()
            .last()
            .unwrap()
            .unwrap()
            .path()
            .unwrap()
            .display()
            .to_string();
        assert_eq!(format!("/{last}"), path);
    }
}
