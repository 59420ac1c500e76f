//! What the questions to the kernel's table have in common: a socket of their own, and how a request is written.

use std::io;
use std::time::Duration;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};
use netlink_sys::constants::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

/// The kernel answers at once; without an end to the wait, a lost answer would hold the events up for good.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// An answer's datagram is at most this big.
pub const DATAGRAM_MAX: usize = 64 * 1024;

/// A socket for questions about the network namespace of the calling thread. Needs `CAP_NET_ADMIN`.
pub fn socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind(&SocketAddr::new(0, 0))?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_WITHIN.as_secs() as i64, 0))?;
    Ok(socket)
}

/// A request for the entries that these attributes describe.
pub fn get(flags: u16, sequence: u32, family: NetfilterProtoFamily, described_by: Vec<ConntrackAttribute>) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let get = NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), ConntrackMessage::Get(described_by));
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(get));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
