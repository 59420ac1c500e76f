//! Line by line through a raw file, plain or packed, whatever state it is in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;

use memchr::memchr;

use super::pack::{BLOCK, ENDING, Member, Unpacker};
use super::read::ReadError;

/// Reads a file's lines block by block, on all processors: `read` puts a line of a block into its part, which begins as `new`, and `take` gets
/// the parts in the file's order. What cannot be read, and lines that `read` refuses, are counted and told in `warnings`.
pub(super) fn for_each_line<P: Send>(
    file: &Path,
    warnings: &mut Vec<String>,
    new: impl Fn() -> P + Sync,
    read: impl Fn(&mut P, &[u8]) -> Result<(), serde_json::Error> + Sync,
    mut take: impl FnMut(P),
) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { file: file.to_owned(), source };
    let open = File::open(file).map_err(failed)?;
    let source = if file.to_string_lossy().ends_with(ENDING) {
        Source::Packed(Unpacker::new(open))
    } else {
        Source::Plain(BufReader::with_capacity(256 * 1024, open))
    };
    let mut seen = Seen::default();
    let all_read = thread::scope(|scope| {
        let (blocks_in, blocks) = mpsc::sync_channel(WAITING);
        let (parts_in, parts) = mpsc::sync_channel(WAITING);
        let blocks = Arc::new(Mutex::new(blocks));
        let unpacking = scope.spawn(move || unpack(source, &blocks_in));
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            let (blocks, parts_in) = (Arc::clone(&blocks), parts_in.clone());
            let (new, read) = (&new, &read);
            scope.spawn(move || {
                while let Some((at, member, block)) = next(&blocks) {
                    if parts_in.send((at, Part::of(member, &block, new(), read))).is_err() {
                        return;
                    }
                }
            });
        }
        // What is left of these is the readers': without them the unpacking and this end as well.
        drop((blocks, parts_in));
        let mut early = BTreeMap::new();
        for (at, part) in parts {
            early.insert(at, part);
            while let Some(part) = early.remove(&seen.parts) {
                take(seen.add(part));
            }
        }
        unpacking.join()
    });
    all_read.unwrap_or_else(|panic| resume_unwind(panic)).map_err(failed)?;
    seen.tell(file, warnings);
    Ok(())
}

/// Blocks, and parts, that wait for the next step.
const WAITING: usize = 4;

type Block = (u64, Member, Vec<u8>);

enum Source {
    Plain(BufReader<File>),
    Packed(Unpacker<File>),
}

impl Source {
    /// The next block of whole lines.
    fn next(&mut self, block: &mut Vec<u8>) -> std::io::Result<Option<Member>> {
        match self {
            Self::Packed(unpacker) => unpacker.next(block),
            Self::Plain(reader) => {
                while block.len() < BLOCK && reader.read_until(b'\n', block)? > 0 {}
                Ok((!block.is_empty()).then_some(Member::Whole))
            }
        }
    }
}

fn unpack(mut source: Source, blocks: &SyncSender<Block>) -> std::io::Result<()> {
    for at in 0.. {
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
        let Some(member) = source.next(&mut block)? else { break };
        if blocks.send((at, member, block)).is_err() {
            break;
        }
    }
    Ok(())
}

fn next(blocks: &Mutex<Receiver<Block>>) -> Option<Block> {
    blocks.lock().ok()?.recv().ok()
}

/// A block that was read.
struct Part<P> {
    read: P,
    member: Member,
    lines: u64,
    /// How many, the first one's number, and why.
    refused: Option<(u64, u64, String)>,
    cut: bool,
}

impl<P> Part<P> {
    fn of(
        member: Member,
        block: &[u8],
        begun: P,
        read: impl Fn(&mut P, &[u8]) -> Result<(), serde_json::Error>,
    ) -> Self {
        let mut part = Self { read: begun, member, lines: 0, refused: None, cut: member == Member::Cut };
        let mut rest = block;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1));
            rest = after;
            part.lines += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Err(error) = read(&mut part.read, line) else { continue };
            if !line.ends_with(b"\n") && error.is_eof() {
                part.cut = true;
                part.lines -= 1;
            } else {
                part.refused.get_or_insert((0, part.lines, error.to_string())).0 += 1;
            }
        }
        part
    }
}

/// What was seen of a file so far.
#[derive(Default)]
struct Seen {
    parts: u64,
    lines: u64,
    refused: Option<(u64, u64, String)>,
    cut: bool,
    in_damage: bool,
    damaged_places: u64,
    damaged_bytes: u64,
}

impl Seen {
    fn add<P>(&mut self, part: Part<P>) -> P {
        if let Member::Damaged { bytes } = part.member {
            self.damaged_places += u64::from(!self.in_damage);
            self.damaged_bytes += bytes;
        }
        self.in_damage = matches!(part.member, Member::Damaged { .. });
        if let Some((count, first, why)) = part.refused {
            self.refused.get_or_insert((0, self.lines + first, why)).0 += count;
        }
        self.parts += 1;
        self.lines += part.lines;
        self.cut |= part.cut;
        part.read
    }

    fn tell(&self, file: &Path, warnings: &mut Vec<String>) {
        let file = file.display();
        if let Some((count, first, why)) = &self.refused {
            warnings.push(format!("{file}: {count} lines are not understood, the first is line {first}: {why}"));
        }
        if self.damaged_places > 0 {
            let places = if self.damaged_places == 1 {
                "one place".to_owned()
            } else {
                format!("{} places", self.damaged_places)
            };
            let bytes = self.damaged_bytes;
            warnings.push(format!("{file} is damaged in {places}: the lines in {bytes} of its bytes are left out"));
        }
        if self.cut {
            warnings.push(format!("{file} is cut after line {}: what followed is missing", self.lines));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::raw::TimelineEntry;
    use crate::raw::write::NdjsonWriter;

    const ENTRY: &str = r#"{"at_ns":5,"subject":"watch_gap","watch":"pods","detail":"x"}"#;

    fn read(file: &Path) -> (usize, Vec<String>) {
        let (mut count, mut warnings) = (0, Vec::new());
        let read = |count: &mut usize, line: &[u8]| serde_json::from_slice::<TimelineEntry>(line).map(|_| *count += 1);
        for_each_line(file, &mut warnings, || 0, read, |part| count += part).unwrap();
        (count, warnings)
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("timeline.ndjson");
        fs::write(&file, format!("{ENTRY}\n{}", &ENTRY[..20])).unwrap();
        let (count, warnings) = read(&file);
        assert_eq!(count, 1);
        assert!(warnings[0].contains("cut after line 1"), "{warnings:?}");
    }

    #[test]
    fn foreign_lines_are_counted_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("timeline.ndjson");
        fs::write(&file, b"{\"at_ns\":1}\n\xff\xfe no text\n").unwrap();
        let (count, warnings) = read(&file);
        assert_eq!(count, 0);
        assert!(warnings[0].contains("2 lines"), "{warnings:?}");
    }

    #[test]
    fn a_packed_file_is_read_as_far_as_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("timeline.ndjson.gz");
        let mut writer = NdjsonWriter::create(&file).unwrap();
        // A block each.
        for _ in 0..3 {
            writer.write_raw(format!("{ENTRY}\n{ENTRY}\n").as_bytes()).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(read(&file), (6, Vec::new()));

        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 30]).unwrap();
        let (count, warnings) = read(&file);
        assert!((4..6).contains(&count), "{count}");
        assert!(warnings.len() == 1 && warnings[0].contains("cut after line"), "{warnings:?}");

        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0xff;
        fs::write(&file, &damaged).unwrap();
        let (count, warnings) = read(&file);
        assert_eq!(count, 4);
        assert!(warnings.len() == 1 && warnings[0].contains("damaged in one place"), "{warnings:?}");

        fs::write(&file, "not gzip at all").unwrap();
        let (count, warnings) = read(&file);
        assert!(count == 0 && warnings[0].contains("damaged"), "{warnings:?}");
    }
}
