//! Asks the kernel for its whole conntrack table.

use std::io;

use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_sys::Socket;

use super::question::{self, DATAGRAM_MAX};
use super::socket::{More, parse};
use crate::nat::message::Change;
use crate::nat::tuple::Entry;

/// Dumps the table of the network namespace that it was opened in.
#[derive(Debug)]
pub struct Dumper(Socket);

impl Dumper {
    /// Opens the socket. Needs `CAP_NET_ADMIN`.
    pub fn open() -> io::Result<Self> {
        question::socket().map(Self)
    }

    /// Every TCP entry, both address families.
    pub fn dump(&mut self, mut each: impl FnMut(Entry)) -> io::Result<()> {
        self.0.send(&question::get(NLM_F_DUMP, 0, NetfilterProtoFamily::Unspec, Vec::new()), 0)?;
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
