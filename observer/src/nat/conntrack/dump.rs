//! Asks the kernel for its whole conntrack table.

use std::io;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::conntrack::ConntrackMessage;
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};
use netlink_sys::constants::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::socket::{More, parse};
use crate::nat::message::Change;
use crate::nat::tuple::Entry;

/// The kernel answers at once; without an end to the wait, a lost answer would hold the events up for good.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A dump's datagrams are at most this big.
const DATAGRAM_MAX: usize = 64 * 1024;

/// Dumps the table of the network namespace that it was opened in.
#[derive(Debug)]
pub struct Dumper(Socket);

impl Dumper {
    /// Opens the socket. Needs `CAP_NET_ADMIN`.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_WITHIN.as_secs() as i64, 0))?;
        Ok(Self(socket))
    }

    /// Every TCP entry, both address families.
    pub fn dump(&mut self, mut each: impl FnMut(Entry)) -> io::Result<()> {
        self.0.send(&request(), 0)?;
        let mut buffer = Vec::with_capacity(DATAGRAM_MAX);
        loop {
            buffer.clear();
            self.0.recv(&mut buffer, 0)?;
            let more = parse(&buffer, |change| {
                if let Change::Exists(entry) = change {
                    each(entry);
                }
            });
            match more {
                Some(More::Yes | More::Error(0)) => {}
                Some(More::Done) => return Ok(()),
                Some(More::Error(code)) => return Err(io::Error::from_raw_os_error(code.abs())),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the kernel's conntrack dump cannot be parsed",
                    ));
                }
            }
        }
    }
}

fn request() -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let get = NetfilterMessage::new(
        NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, 0),
        ConntrackMessage::Get(Vec::new()),
    );
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(get));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
