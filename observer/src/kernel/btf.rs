//! Where a field stands in a struct of the running kernel, read from its BTF.
//!
//! Rust has no CO-RE, and two values are worth a look at a struct: a socket's error and its round-trip time. Their places
//! are found here and handed to the programs as constants. When they cannot be found, these values are "not measured".

use std::{collections::HashMap, fs, path::Path};

const HEADER_BYTES: usize = 24;
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

/// Byte offsets of `fields` (`(struct, direct member)`) in the BTF of the running kernel. A field that is not there, or is
/// no whole number of bytes, is missing from the answer.
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
    let mut found = HashMap::new();
    let mut at = 0;
    while at < types.len() {
        let name = word(types, at)?;
        let info = word(types, at + 4)?;
        let kind = (info >> 24) & 0x1f;
        let entries = (info & 0xffff) as usize;
        let body = at + 12;
        if kind == KIND_STRUCT {
            for &(wanted, member) in fields.iter().filter(|(wanted, _)| is(strings, name, wanted)) {
                let _ = wanted;
                for i in 0..entries {
                    let entry = body + 12 * i;
                    if is(strings, word(types, entry)?, member) {
                        let bits = word(types, entry + 8)?;
                        // With the kind flag the upper byte is a bit field's size.
                        let (bits, size) = if info >> 31 == 1 { (bits & 0x00ff_ffff, bits >> 24) } else { (bits, 0) };
                        if size == 0 && bits % 8 == 0 {
                            found.insert(member, bits / 8);
                        }
                    }
                }
            }
        }
        at = body
            + match kind {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * entries,
                KIND_ENUM | KIND_FUNC_PROTO => 8 * entries,
                _ => 0,
            };
    }
    Some(found)
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
    }

    #[test]
    fn garbage_is_no_btf() {
        assert_eq!(parse(b"", &[]), None);
        assert_eq!(parse(&[0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 255, 255, 255, 255, 4, 0, 0, 0], &[]), None);
    }
}
