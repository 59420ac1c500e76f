//! Where a field stands in a struct of the running kernel, read from its BTF.
//!
//! Rust has no CO-RE, and some values are worth a look at a struct: a socket's error, its round-trip time, and both its ends when it
//! could not even dial. Their places are found here and handed to the programs as constants. When they cannot be found, these
//! values are "not measured".

use std::{collections::HashMap, fs, path::Path};

const HEADER_BYTES: usize = 24;
/// What each type's entry begins with.
const ENTRY_BYTES: usize = 12;
/// Nameless members within nameless members; the kernel's sockets have two.
const DEEPEST: u8 = 4;
const MAGIC: u16 = 0xeb9f;

const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_INT: u32 = 1;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// Byte offsets of `fields` (`(struct, member)`; also a member of a nameless member) in the BTF of the running kernel. A field that
/// is not there, or is no whole number of bytes, is missing from the answer.
pub(super) fn offsets(path: &Path, fields: &[(&'static str, &'static str)]) -> HashMap<&'static str, u32> {
    fs::read(path).ok().and_then(|bytes| parse(&bytes, fields)).unwrap_or_default()
}

fn parse(bytes: &[u8], fields: &[(&'static str, &'static str)]) -> Option<HashMap<&'static str, u32>> {
    if u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?) != MAGIC {
        return None;
    }
    let header_bytes = word(bytes, 4)? as usize;
    let types = section(bytes, header_bytes, word(bytes, 8)?, word(bytes, 12)?)?;
    let strings = section(bytes, header_bytes, word(bytes, 16)?, word(bytes, 20)?)?;
    let all = Types { entries: types, strings, at: starts(types)? };
    let mut found = HashMap::new();
    for &at in &all.at {
        for (_, member) in fields.iter().filter(|(wanted, _)| all.is_struct(at, wanted)) {
            if let Some(bytes) = all.offset(at, member, DEEPEST) {
                found.insert(*member, bytes);
            }
        }
    }
    Some(found)
}

/// Where each type's entry begins, in the order of their numbers.
fn starts(types: &[u8]) -> Option<Vec<usize>> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at < types.len() {
        starts.push(at);
        let info = word(types, at + 4)?;
        let entries = (info & 0xffff) as usize;
        at += ENTRY_BYTES
            + match kind(info) {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * entries,
                KIND_ENUM | KIND_FUNC_PROTO => 8 * entries,
                _ => 0,
            };
    }
    Some(starts)
}

fn kind(info: u32) -> u32 {
    (info >> 24) & 0x1f
}

struct Types<'b> {
    entries: &'b [u8],
    strings: &'b [u8],
    at: Vec<usize>,
}

impl Types<'_> {
    fn is_struct(&self, at: usize, name: &str) -> bool {
        let (Some(own), Some(info)) = (word(self.entries, at), word(self.entries, at + 4)) else { return false };
        kind(info) == KIND_STRUCT && is(self.strings, own, name)
    }

    /// Offset of a member of the struct or union at `at`, through at most so many nameless ones.
    fn offset(&self, at: usize, wanted: &str, deepest: u8) -> Option<u32> {
        let info = word(self.entries, at + 4)?;
        if !matches!(kind(info), KIND_STRUCT | KIND_UNION) {
            return None;
        }
        (0..(info & 0xffff) as usize).find_map(|i| {
            let entry = at + ENTRY_BYTES + 12 * i;
            let (name, number, bits) =
                (word(self.entries, entry)?, word(self.entries, entry + 4)?, word(self.entries, entry + 8)?);
            // With the kind flag the upper byte is a bit field's size.
            let (bits, size) = if info >> 31 == 1 { (bits & 0x00ff_ffff, bits >> 24) } else { (bits, 0) };
            let inner = if is(self.strings, name, wanted) {
                0
            } else if is(self.strings, name, "") {
                // Numbers count from 1: 0 is void.
                let inner = *self.at.get((number as usize).checked_sub(1)?)?;
                self.offset(inner, wanted, deepest.checked_sub(1)?)?
            } else {
                return None;
            };
            (size == 0 && bits % 8 == 0).then_some(bits / 8 + inner)
        })
    }
}

fn section(bytes: &[u8], header_bytes: usize, offset: u32, length: u32) -> Option<&[u8]> {
    debug_assert!(header_bytes >= HEADER_BYTES);
    bytes.get(header_bytes.checked_add(offset as usize)?..)?.get(..length as usize)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn is(strings: &[u8], offset: u32, name: &str) -> bool {
    strings
        .get(offset as usize..)
        .and_then(|rest| rest.strip_prefix(name.as_bytes()))
        .is_some_and(|rest| rest.first() == Some(&0))
}

#[cfg(test)]
mod tests {
    use super::{offsets, parse};

    #[test]
    fn fields_of_the_running_kernel() {
        let path = std::path::Path::new("/sys/kernel/btf/vmlinux");
        if !path.exists() {
            eprintln!("SKIPPED: this kernel has no BTF");
            return;
        }
        let found = offsets(path, &[("sock", "sk_err"), ("tcp_sock", "srtt_us"), ("sock", "no_such_field")]);
        // `sk_err` stands behind the common part of a socket, `srtt_us` behind the whole of it.
        assert!(found["sk_err"] > 100, "{found:?}");
        assert!(found["srtt_us"] > found["sk_err"], "{found:?}");
        assert!(!found.contains_key("no_such_field"));
        // These have stood there for as long as there is BTF; the one is a member of a struct in a union.
        let found =
            offsets(path, &[("sock_common", "skc_daddr"), ("sock_common", "skc_dport"), ("inet_sock", "inet_sport")]);
        assert_eq!((found["skc_daddr"], found["skc_dport"]), (0, 12), "{found:?}");
        assert!(found["inet_sport"] > 100, "{found:?}");
    }

    #[test]
    fn garbage_is_no_btf() {
        assert_eq!(parse(b"", &[]), None);
        assert_eq!(parse(&[0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 255, 255, 255, 255, 4, 0, 0, 0], &[]), None);
    }
}
