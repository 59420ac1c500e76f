//! Asks the kernel for one entry of its conntrack table.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::NetlinkBuffer;
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::conntrack::Tuple as TupleAttribute;
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, IPTuple, ProtoTuple, Protocol};
use netlink_sys::Socket;
use nix::errno::Errno;

use super::question::{self, DATAGRAM_MAX};
use super::socket::{More, parse};
use crate::nat::message::Change;
use crate::nat::tuple::{Entry, Tuple};

/// Asks the table of the network namespace that it was opened in.
#[derive(Debug)]
pub struct Asker {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Asker {
    /// Opens the socket. Needs `CAP_NET_ADMIN`.
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: question::socket()?, sequence: 0, buffer: Vec::with_capacity(DATAGRAM_MAX) })
    }

    /// The entry that packets with this source and destination match now. `None`: there is none. The kernel answers within
    /// the call: some ten microseconds.
    pub fn ask(&mut self, original: &Tuple) -> io::Result<Option<Entry>> {
        self.sequence = self.sequence.wrapping_add(1);
        let family = if original.src.is_ipv4() { NetfilterProtoFamily::IPv4 } else { NetfilterProtoFamily::IPv6 };
        let described_by = vec![ConntrackAttribute::CtaTupleOrig(attributes(original))];
        self.socket.send(&question::get(0, self.sequence, family, described_by), 0)?;
        loop {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            // An answer to an earlier question, which was not waited for any more.
            if !NetlinkBuffer::new_checked(&self.buffer).is_ok_and(|it| it.sequence_number() == self.sequence) {
                continue;
            }
            let mut found = None;
            let more = parse(&self.buffer, |change| {
                if let Change::Exists(entry) = change {
                    found = Some(entry);
                }
            });
            return match more {
                Some(More::Error(code)) if code.abs() == Errno::ENOENT as i32 => Ok(None),
                Some(More::Error(code)) if code != 0 => Err(io::Error::from_raw_os_error(code.abs())),
                // A packet in the direction of the answers matches the same entry.
                Some(_) => Ok(found.filter(|entry| entry.original == *original)),
                None => Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer cannot be parsed")),
            };
        }
    }
}

fn attributes(tuple: &Tuple) -> Vec<TupleAttribute> {
    let (source, destination): (IpAddr, IpAddr) = (tuple.src.ip(), tuple.dst.ip());
    vec![
        TupleAttribute::Ip(vec![IPTuple::SourceAddress(source), IPTuple::DestinationAddress(destination)]),
        TupleAttribute::Proto(vec![
            ProtoTuple::Protocol(Protocol::Tcp),
            ProtoTuple::SourcePort(tuple.src.port()),
            ProtoTuple::DestinationPort(tuple.dst.port()),
        ]),
    ]
}
