//! The two DNS messages that are needed: a question for an A record, and its answer (RFC 1035, section 4).

use std::net::{Ipv4Addr, Ipv6Addr};

const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
const RECURSION_DESIRED: u16 = 0x0100;

/// A question for the IPv4 addresses of a name. `None`: it is no name.
pub fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(name.len() + 18);
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.push(0);
    for word in [A, INTERNET] {
        message.extend(word.to_be_bytes());
    }
    (message.len() <= 12 + 255 + 4).then_some(message)
}

/// Code and addresses of an answer. `None`: it is no answer to that question.
pub fn answer(id: u16, message: &[u8]) -> Option<(String, Vec<String>)> {
    let flags = word(message, 2)?;
    if word(message, 0)? != id || flags & 0x8000 == 0 {
        return None;
    }
    let (questions, answers) = (word(message, 4)?, word(message, 6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = after_name(message, at)? + 4;
    }
    let mut addresses = Vec::new();
    for _ in 0..answers {
        at = after_name(message, at)?;
        let (kind, length) = (word(message, at)?, usize::from(word(message, at + 8)?));
        let data = message.get(at + 10..at + 10 + length)?;
        match kind {
            A => addresses.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string()),
            AAAA => addresses.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string()),
            _ => {}
        }
        at += 10 + length;
    }
    Some((code(flags & 0xf), addresses))
}

fn code(code: u16) -> String {
    match code {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("code {other}"),
    }
}

fn word(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?))
}

/// Past a name: labels up to an empty one, or up to a pointer to the rest of it.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *message.get(at)?;
        match length {
            0 => return Some(at + 1),
            0xc0.. => return Some(at + 2),
            _ => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn reply(flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = question(7, "a.b").unwrap();
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (kind, data) in records {
            // A pointer to the question's name, type, class, time to live, length.
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 5]);
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(*data);
        }
        message
    }

    #[test]
    fn a_name_is_asked_for_label_by_label() {
        let asked = question(0x0102, "ab.c.").unwrap();
        assert_eq!(asked, [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, b'a', b'b', 1, b'c', 0, 0, 1, 0, 1]);
        assert!(question(1, "a..b").is_none() && question(1, &"x".repeat(64)).is_none());
    }

    #[test]
    fn addresses_and_codes_are_read() {
        // A CNAME (5) beside the address is stepped over.
        let message = reply(0x8580, &[(5, &[1, b'x', 0]), (A, &[10, 96, 0, 20])]);
        assert_eq!(answer(7, &message), Some(("NOERROR".into(), vec!["10.96.0.20".into()])));
        assert_eq!(answer(7, &reply(0x8583, &[])), Some(("NXDOMAIN".into(), Vec::new())));
        assert_eq!(answer(8, &message), None, "another's answer");
        assert_eq!(answer(7, &reply(0x0100, &[])), None, "a question is no answer");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = answer(7, &bytes);
            let whole = [&[0, 7, 0x85, 0x80, 0, 1, 0, 2, 0, 0, 0, 0], bytes.as_slice()].concat();
            let _ = answer(7, &whole);
        }
    }
}
