//! Writing NDJSON: one value a line, buffered or packed, flushed to the disk at the end.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::pack::{self, Packer};

/// A raw file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}{hint}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: std::io::Error,
    hint: &'static str,
}

impl WriteError {
    /// Wraps an I/O error with the file's name and, where there is one, its fix.
    pub fn new(path: &Path, source: std::io::Error) -> Self {
        let hint = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "\n  fix: free some space, or choose another place with --out DIR"
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                "\n  fix: choose a place you may write to with --out DIR"
            }
            _ => "",
        };
        Self { path: path.to_owned(), source, hint }
    }
}

/// One NDJSON file, open for writing. A name that ends in `.gz` makes it a packed one: see [`super::pack`].
#[derive(Debug)]
pub struct NdjsonWriter {
    path: PathBuf,
    out: Out,
    lines: u64,
}

#[derive(Debug)]
enum Out {
    Plain(BufWriter<File>),
    Packed(Packer<File>),
}

impl NdjsonWriter {
    /// Creates the file, which must not exist yet: raw files of two runs must never mix.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| WriteError::new(path, e))?;
        Ok(Self::over(path, file))
    }

    fn over(path: &Path, file: File) -> Self {
        let packed = path.to_string_lossy().ends_with(pack::ENDING);
        let out = if packed {
            Out::Packed(Packer::new(file))
        } else {
            Out::Plain(BufWriter::with_capacity(256 * 1024, file))
        };
        Self { path: path.to_owned(), out, lines: 0 }
    }

    /// Appends one value.
    pub fn write<T: Serialize>(&mut self, value: &T) -> Result<(), WriteError> {
        let written = match &mut self.out {
            Out::Plain(out) => serde_json::to_writer(out, value),
            Out::Packed(out) => serde_json::to_writer(out, value),
        };
        written.map_err(|e| WriteError::new(&self.path, e.into()))?;
        self.write_raw(b"\n")?;
        self.lines += 1;
        Ok(())
    }

    /// Appends bytes that are NDJSON already.
    pub fn write_raw(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.stream().write_all(bytes).map_err(|e| WriteError::new(&self.path, e))
    }

    /// Lines written with [`NdjsonWriter::write`].
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Hands all whole lines to the operating system: a killed process loses nothing of them.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.out.stream().flush().map_err(|e| WriteError::new(&self.path, e))
    }

    /// Writes everything through to the disk.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        let through = match &mut self.out {
            Out::Plain(out) => out.flush().and_then(|()| out.get_ref().sync_all()),
            Out::Packed(out) => out.finish().and_then(|()| out.get_ref().sync_all()),
        };
        through.map_err(|e| WriteError::new(&self.path, e))?;
        Ok(self.lines)
    }
}

impl Out {
    fn stream(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(out) => out,
            Self::Packed(out) => out,
        }
    }
}

/// Writes one value as a file of its own. The file appears whole or not at all.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), WriteError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| WriteError::new(path, e.into()))?;
    text.push('\n');
    write_text(path, &text)
}

/// Writes a file that appears whole or not at all.
pub fn write_text(path: &Path, text: &str) -> Result<(), WriteError> {
    let failed = |e: std::io::Error| WriteError::new(path, e);
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file = File::create(&part).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_its_fix() {
        for name in ["raw/client.ndjson", "raw/client.ndjson.gz"] {
            let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
                panic!("/dev/full is missing on this machine");
            };
            let mut writer = NdjsonWriter::over(Path::new(name), full);
            writer.write(&1).unwrap();
            let text = writer.finish().unwrap_err().to_string();
            assert!(text.contains(name) && text.contains("--out"), "{text}");
        }
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.ndjson");
        NdjsonWriter::create(&path).unwrap().finish().unwrap();
        assert!(NdjsonWriter::create(&path).is_err());
    }
}
