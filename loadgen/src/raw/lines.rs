//! Line by line through a raw file, plain or packed, whatever state it is in.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use super::pack::{BLOCK, ENDING, Member, Unpacker};
use super::read::ReadError;

/// Calls `take` for each line. What cannot be read, and lines that `take` refuses, are counted and told in `warnings`.
pub(super) fn for_each_line(
    file: &Path,
    warnings: &mut Vec<String>,
    take: impl FnMut(&[u8]) -> Result<(), serde_json::Error>,
) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { file: file.to_owned(), source };
    let open = File::open(file).map_err(failed)?;
    let mut lines = Lines { take, number: 0, refused: None, cut: false };
    let damage = if file.to_string_lossy().ends_with(ENDING) {
        packed(open, &mut lines).map_err(failed)?
    } else {
        plain(open, &mut lines).map_err(failed)?;
        Damage::default()
    };
    lines.tell(file, &damage, warnings);
    Ok(())
}

#[derive(Default)]
struct Damage {
    places: u64,
    bytes: u64,
}

fn plain(file: File, lines: &mut Lines<impl FnMut(&[u8]) -> Result<(), serde_json::Error>>) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        lines.line(&line);
        line.clear();
    }
    Ok(())
}

fn packed(
    file: File,
    lines: &mut Lines<impl FnMut(&[u8]) -> Result<(), serde_json::Error>>,
) -> std::io::Result<Damage> {
    let (mut damage, mut in_damage) = (Damage::default(), false);
    let (sender, members) = mpsc::sync_channel(WAITING);
    let unpacked = thread::scope(|scope| {
        let unpacking = scope.spawn(move || unpack(file, &sender));
        for (member, block) in members {
            if let Member::Damaged { bytes } = member {
                damage.places += u64::from(!in_damage);
                damage.bytes += bytes;
            }
            in_damage = matches!(member, Member::Damaged { .. });
            lines.cut |= member == Member::Cut;
            for line in block.split_inclusive(|&byte| byte == b'\n') {
                lines.line(line);
            }
        }
        unpacking.join()
    });
    unpacked.unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(damage)
}

/// Members that are unpacked ahead of the one being read.
const WAITING: usize = 4;

/// Unpacking and reading take turns on one file; on two threads neither waits for the other.
fn unpack(file: File, members: &SyncSender<(Member, Vec<u8>)>) -> std::io::Result<()> {
    let mut unpacker = Unpacker::new(file);
    loop {
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
        let Some(member) = unpacker.next(&mut block)? else { return Ok(()) };
        if members.send((member, block)).is_err() {
            return Ok(());
        }
    }
}

struct Lines<F> {
    take: F,
    number: u64,
    /// How many, the first one's number, and why.
    refused: Option<(u64, u64, String)>,
    cut: bool,
}

impl<F: FnMut(&[u8]) -> Result<(), serde_json::Error>> Lines<F> {
    fn line(&mut self, line: &[u8]) {
        self.number += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        let Err(error) = (self.take)(line) else { return };
        if !line.ends_with(b"\n") && error.is_eof() {
            self.cut = true;
            self.number -= 1;
            return;
        }
        self.refused.get_or_insert((0, self.number, error.to_string())).0 += 1;
    }

    fn tell(&self, file: &Path, damage: &Damage, warnings: &mut Vec<String>) {
        let file = file.display();
        if let Some((count, first, why)) = &self.refused {
            warnings.push(format!("{file}: {count} lines are not understood, the first is line {first}: {why}"));
        }
        if damage.places > 0 {
            let Damage { places, bytes } = damage;
            let places = if *places == 1 { "one place".to_owned() } else { format!("{places} places") };
            warnings.push(format!("{file} is damaged in {places}: the lines in {bytes} of its bytes are left out"));
        }
        if self.cut {
            warnings.push(format!("{file} is cut after line {}: what followed is missing", self.number));
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
        let take = |line: &[u8]| serde_json::from_slice::<TimelineEntry>(line).map(|_| count += 1);
        for_each_line(file, &mut warnings, take).unwrap();
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
