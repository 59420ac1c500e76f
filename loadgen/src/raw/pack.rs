//! Lines packed as gzip, in blocks of whole lines.
//!
//! A packed file is a row of small gzip members, one after the other, and each holds whole lines: `zcat` reads it, a process
//! that is killed has left whole members behind, and a damaged member costs its own lines and no others. gzip, because every
//! machine has a tool for it; its fastest level, because it runs beside the load.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// Ending of a packed file's name.
pub const ENDING: &str = ".gz";

/// Bytes of lines that make a block. Of measured runs, 64 KiB pack to a ninth and 1 MiB to a tenth: small blocks cost
/// little, and what a kill or a damage can take is small.
pub(super) const BLOCK: usize = 128 * 1024;

/// How each of our members begins: gzip, deflate, no optional field.
const MAGIC: u32 = 0x1f8b_0800;

/// Packs what is written to it.
#[derive(Debug)]
pub struct Packer<W> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> Packer<W> {
    /// Packs into `out`, which is written to once for each block.
    pub fn new(out: W) -> Self {
        Self { out, block: Vec::with_capacity(BLOCK + BLOCK / 8) }
    }

    /// Where the packed bytes go.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Packs all there is, also a last line without an end.
    pub fn finish(&mut self) -> io::Result<()> {
        self.pack(self.block.len())?;
        self.out.flush()
    }

    fn pack(&mut self, length: usize) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        let mut member = GzEncoder::new(Vec::with_capacity(length / 6), Compression::fast());
        member.write_all(&self.block[..length])?;
        self.out.write_all(&member.finish()?)?;
        self.block.drain(..length);
        Ok(())
    }

    fn whole_lines(&self) -> usize {
        self.block.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK && bytes.contains(&b'\n') {
            self.pack(self.whole_lines())?;
        }
        Ok(bytes.len())
    }

    /// Packs all whole lines, however few.
    fn flush(&mut self) -> io::Result<()> {
        self.pack(self.whole_lines())?;
        self.out.flush()
    }
}

/// One member of a packed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// As it was written.
    Whole,
    /// The file ends within it: what could be unpacked of it.
    Cut,
    /// Its bytes are not what was written: nothing of it is used.
    Damaged {
        /// Bytes of the file until the next member that could be there.
        bytes: u64,
    },
}

/// Unpacks a file member by member.
#[derive(Debug)]
pub struct Unpacker<R> {
    file: BufReader<R>,
}

impl<R: Read + Seek> Unpacker<R> {
    /// Reads from the start of `file`.
    pub fn new(file: R) -> Self {
        Self { file: BufReader::with_capacity(256 * 1024, file) }
    }

    /// Puts the next member's lines into `lines`. `None`: that was all.
    pub fn next(&mut self, lines: &mut Vec<u8>) -> io::Result<Option<Member>> {
        lines.clear();
        if self.file.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let start = self.file.stream_position()?;
        let Err(error) = GzDecoder::new(&mut self.file).read_to_end(lines) else { return Ok(Some(Member::Whole)) };
        if error.raw_os_error().is_some() {
            return Err(error);
        }
        let (next, found) = self.seek_member(start + 1)?;
        if !found && error.kind() == io::ErrorKind::UnexpectedEof {
            return Ok(Some(Member::Cut));
        }
        lines.clear();
        Ok(Some(Member::Damaged { bytes: next - start }))
    }

    /// Goes to the first place from `from` on that looks like a member's start, or to the end of the file.
    fn seek_member(&mut self, from: u64) -> io::Result<(u64, bool)> {
        self.file.seek(SeekFrom::Start(from))?;
        let (mut at, mut last_four) = (from, 0_u32);
        loop {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                return Ok((at, false));
            }
            let length = buffer.len();
            for (place, byte) in buffer.iter().enumerate() {
                last_four = last_four << 8 | u32::from(*byte);
                let read = at - from + place as u64 + 1;
                if last_four == MAGIC && read >= 4 {
                    let found = from + read - 4;
                    self.file.seek(SeekFrom::Start(found))?;
                    return Ok((found, true));
                }
            }
            self.file.consume(length);
            at += length as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;
    use std::io::Cursor;

    use super::*;

    /// Lines that do not repeat, and the file that holds them.
    fn packed(lines: u64) -> (String, Vec<u8>) {
        let line = |n: u64| format!("{{\"seq\":{n},\"at\":{}}}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text: String = (0..lines).map(line).collect();
        let mut packer = Packer::new(Vec::new());
        for line in text.split_inclusive('\n') {
            packer.write_all(line.as_bytes()).unwrap();
        }
        packer.finish().unwrap();
        (text, packer.out)
    }

    fn unpack(file: &[u8]) -> (String, Vec<Member>) {
        let mut unpacker = Unpacker::new(Cursor::new(file));
        let (mut text, mut members, mut lines) = (String::new(), Vec::new(), Vec::new());
        while let Some(member) = unpacker.next(&mut lines).unwrap() {
            members.push(member);
            text.push_str(&String::from_utf8_lossy(&lines));
        }
        (text, members)
    }

    #[test]
    fn what_is_packed_comes_back_in_blocks_of_whole_lines() {
        let (text, file) = packed(20_000);
        let (back, members) = unpack(&file);
        assert_eq!(back, text);
        assert!(members.len() >= 5 && members.iter().all(|member| *member == Member::Whole), "{members:?}");
        let mut unpacker = Unpacker::new(Cursor::new(&file));
        let mut lines = Vec::new();
        while unpacker.next(&mut lines).unwrap().is_some() {
            assert!(lines.starts_with(b"{") && lines.ends_with(b"}\n"));
        }
    }

    #[test]
    fn any_gzip_reader_reads_it() {
        let (text, file) = packed(20_000);
        let mut back = String::new();
        flate2::read::MultiGzDecoder::new(file.as_slice()).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn a_cut_file_gives_what_was_there_before_the_cut() {
        let (text, file) = packed(20_000);
        for length in (1..file.len()).step_by(file.len() / 31) {
            let (back, members) = unpack(&file[..length]);
            assert!(text.starts_with(&back), "cut at {length}");
            let whole = members.iter().filter(|member| **member == Member::Whole).count();
            assert!(members.len() - whole <= 1, "cut at {length}: {members:?}");
        }
    }

    #[test]
    fn damage_costs_its_own_block_and_no_other() {
        let (text, file) = packed(20_000);
        let written: HashSet<&str> = text.lines().collect();
        let blocks = unpack(&file).1.len();
        for at in (0..file.len()).step_by(file.len() / 41) {
            let mut bad = file.clone();
            bad[at] ^= 0x55;
            let (back, members) = unpack(&bad);
            let good = members.iter().filter(|member| **member == Member::Whole).count();
            // A header holds bytes that mean nothing, such as the name of the system.
            assert!(good >= blocks - 1, "damaged at {at}: {members:?}");
            assert!(back.lines().all(|line| written.contains(line)), "damaged at {at}: a line that was never written");
        }
    }

    #[test]
    fn a_line_longer_than_a_block_stays_whole() {
        let mut packer = Packer::new(Vec::new());
        let long = "x".repeat(3 * BLOCK);
        packer.write_all(long.as_bytes()).unwrap();
        packer.write_all(b"\nshort\n").unwrap();
        packer.finish().unwrap();
        assert_eq!(unpack(&packer.out).0, format!("{long}\nshort\n"));
    }
}
