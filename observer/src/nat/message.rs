//! Conntrack messages: from netlink attributes to an [`Entry`].

use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::Nla as _;
use netlink_packet_netfilter::conntrack::Tuple as TupleAttribute;
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Protocol};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner};

use super::tuple::{Entry, Tuple};

/// `CTA_ID` of the kernel's `nfnetlink_conntrack.h`.
const CTA_ID: u16 = 12;

/// What a message of the conntrack subsystem says of one TCP entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exists: an event of its making, or part of a dump.
    Exists(Entry),
    /// It is gone.
    Gone(Entry),
}

/// `None`: the message is about something else than a TCP entry.
pub fn change(message: &NetfilterMessage) -> Option<Change> {
    let NetfilterMessageInner::Conntrack(message) = &message.inner else { return None };
    match message {
        ConntrackMessage::New(attributes) => entry(attributes).map(Change::Exists),
        ConntrackMessage::Delete(attributes) => entry(attributes).map(Change::Gone),
        _ => None,
    }
}

fn entry(attributes: &[ConntrackAttribute]) -> Option<Entry> {
    let (mut original, mut reply, mut id) = (None, None, None);
    for attribute in attributes {
        match attribute {
            ConntrackAttribute::CtaTupleOrig(parts) => original = tuple(parts),
            ConntrackAttribute::CtaTupleReply(parts) => reply = tuple(parts),
            ConntrackAttribute::Other(other) if other.kind() == CTA_ID && other.value_len() == 4 => {
                let mut bytes = [0; 4];
                other.emit_value(&mut bytes);
                id = Some(u32::from_be_bytes(bytes));
            }
            _ => {}
        }
    }
    Some(Entry { original: original?, reply: reply?, id })
}

fn tuple(parts: &[TupleAttribute]) -> Option<Tuple> {
    let (mut src, mut dst, mut ports, mut tcp) = (None, None, (None, None), false);
    for part in parts {
        match part {
            TupleAttribute::Ip(addresses) => {
                for address in addresses {
                    match address {
                        IPTuple::SourceAddress(ip) => src = Some(*ip),
                        IPTuple::DestinationAddress(ip) => dst = Some(*ip),
                        _ => {}
                    }
                }
            }
            TupleAttribute::Proto(details) => {
                for detail in details {
                    match detail {
                        ProtoTuple::Protocol(protocol) => tcp = *protocol == Protocol::Tcp,
                        ProtoTuple::SourcePort(port) => ports.0 = Some(*port),
                        ProtoTuple::DestinationPort(port) => ports.1 = Some(*port),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let at = |ip: Option<IpAddr>, port: Option<u16>| Some(SocketAddr::new(ip?.to_canonical(), port?));
    if tcp { Some(Tuple { src: at(src, ports.0)?, dst: at(dst, ports.1)? }) } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use netlink_packet_core::ParseableParametrized as _;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((value.len() + 4) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// As the kernel writes it: nested attributes carry the flag 0x8000, numbers are big-endian.
    fn tuple_bytes(src: ([u8; 4], u16), dst: ([u8; 4], u16), protocol: u8) -> Vec<u8> {
        let ip = [attribute(1, &src.0), attribute(2, &dst.0)].concat();
        let ports = [attribute(1, &[protocol]), attribute(2, &src.1.to_be_bytes()), attribute(3, &dst.1.to_be_bytes())];
        [attribute(0x8001, &ip), attribute(0x8002, &ports.concat())].concat()
    }

    fn parse(protocol: u8, message_type: u16) -> Option<Change> {
        let original = tuple_bytes(([10, 244, 0, 5], 40000), ([10, 96, 0, 2], 5000), protocol);
        let reply = tuple_bytes(([10, 244, 0, 7], 5678), ([10, 244, 0, 5], 40000), protocol);
        let mut bytes = vec![2, 0, 0, 0];
        bytes.extend(attribute(0x8001, &original));
        bytes.extend(attribute(0x8002, &reply));
        bytes.extend(attribute(CTA_ID, &0xdead_beef_u32.to_be_bytes()));
        change(&NetfilterMessage::parse_with_param(&bytes, message_type).unwrap())
    }

    #[test]
    fn both_tuples_and_the_id_are_read() {
        let expected = Entry {
            original: Tuple { src: "10.244.0.5:40000".parse().unwrap(), dst: "10.96.0.2:5000".parse().unwrap() },
            reply: Tuple { src: "10.244.0.7:5678".parse().unwrap(), dst: "10.244.0.5:40000".parse().unwrap() },
            id: Some(0xdead_beef),
        };
        assert_eq!(parse(6, 0x100), Some(Change::Exists(expected)));
        assert_eq!(parse(6, 0x102), Some(Change::Gone(expected)));
    }

    #[test]
    fn other_protocols_are_left_alone() {
        assert_eq!(parse(17, 0x100), None);
    }
}
