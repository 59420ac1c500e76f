//! Keeps NDJSON lines compressed: field names repeat in every line, so a record takes about a tenth of its text.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Text that is compressed at once. Bigger compresses no better, and compressing it would hold the agent up for longer.
const CHUNK_BYTES: usize = 256 * 1024;

/// Lines of text, compressed in chunks.
#[derive(Debug, Default)]
pub struct Chunks {
    full: Vec<Arc<[u8]>>,
    full_bytes: usize,
    open: Vec<u8>,
}

impl Chunks {
    /// Memory taken.
    pub fn bytes(&self) -> usize {
        self.full_bytes + self.open.capacity()
    }

    /// Adds one line; `write` writes it without its end. On an error nothing is added.
    pub fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let before = self.open.len();
        if let Err(error) = write(&mut self.open) {
            self.open.truncate(before);
            return Err(error);
        }
        self.open.push(b'\n');
        if self.open.len() >= CHUNK_BYTES {
            self.seal();
        }
        Ok(())
    }

    fn seal(&mut self) {
        let compressed = deflate(&self.open);
        self.full_bytes += compressed.len();
        self.full.push(compressed.into());
        self.open.clear();
    }

    /// A copy to read from while lines are added here; the compressed part is shared.
    pub fn lines(&self) -> Lines {
        Lines { full: self.full.clone(), open: self.open.clone() }
    }
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    // Writing to a `Vec` cannot fail; were it ever to, an empty chunk would be found by the count of records.
    let written = encoder.write_all(text);
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

/// The text of some [`Chunks`], chunk by chunk.
#[derive(Clone, Debug)]
pub struct Lines {
    full: Vec<Arc<[u8]>>,
    open: Vec<u8>,
}

impl Iterator for Lines {
    type Item = std::io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.full.is_empty() {
            return (!self.open.is_empty()).then(|| Ok(std::mem::take(&mut self.open)));
        }
        let mut text = Vec::with_capacity(CHUNK_BYTES * 2);
        let chunk = self.full.remove(0);
        Some(DeflateDecoder::new(&*chunk).read_to_end(&mut text).map(|_| text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_line_comes_back_in_order() {
        let mut chunks = Chunks::default();
        let mut expected = Vec::new();
        for number in 0..20_000 {
            let line = format!("{{\"record\":\"exchange\",\"number\":{number},\"path\":\"/predict\"}}");
            chunks.push(|out| std::io::Write::write_all(out, line.as_bytes())).unwrap();
            expected.extend(line.into_bytes());
            expected.push(b'\n');
        }
        let text: Vec<u8> = chunks.lines().flat_map(Result::unwrap).collect();
        assert_eq!(text, expected);
        assert!(chunks.full_bytes * 5 < expected.len(), "it compresses: {} of {}", chunks.full_bytes, expected.len());
    }

    #[test]
    fn a_line_that_fails_leaves_no_half() {
        let mut chunks = Chunks::default();
        let failed = chunks.push(|out| {
            out.extend(b"half");
            Err::<(), _>("no")
        });
        assert_eq!(failed, Err("no"));
        assert_eq!(chunks.lines().count(), 0);
    }
}
