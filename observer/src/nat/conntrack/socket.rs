//! The netlink socket that conntrack events arrive at.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::time::Duration;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::NetfilterMessage;
use netlink_sys::constants::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::nat::message::{Change, change};

/// `NFNLGRP_CONNTRACK_NEW` and `NFNLGRP_CONNTRACK_DESTROY` of the kernel's `nfnetlink_compat.h`.
const GROUPS: [u32; 2] = [1, 3];
/// A netlink datagram never exceeds this.
const DATAGRAM_MAX: usize = 64 * 1024;

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// At least one message.
    Some,
    /// A message that is none of ours, or broken.
    Unparsed,
    /// The queue is empty.
    Nothing,
    /// Events were lost before this read: the queue was full.
    Overflow,
}

/// Receives the events of this network namespace.
pub struct EventSocket {
    socket: Socket,
    buffer: Vec<u8>,
}

impl EventSocket {
    /// Subscribes, with a kernel queue of this size. Needs `CAP_NET_ADMIN`.
    pub fn open(queue_bytes: usize) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        // The limit `net.core.rmem_max` is far too small for bursts; NET_ADMIN may pass it.
        if setsockopt(&socket, sockopt::RcvBufForce, &queue_bytes).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &queue_bytes)?;
        }
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM_MAX) })
    }

    /// Waits for an event, but no longer than `timeout`.
    pub fn wait(&self, timeout: Duration) -> io::Result<()> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads one datagram and hands on what it says.
    pub fn read(&mut self, each: impl FnMut(Change)) -> io::Result<Read> {
        self.buffer.clear();
        match self.socket.recv(&mut self.buffer, 0) {
            Ok(_) => Ok(if parse(&self.buffer, each).is_some() { Read::Some } else { Read::Unparsed }),
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EAGAIN) => Ok(Read::Nothing),
                Some(Errno::EINTR) => Ok(Read::Some),
                Some(Errno::ENOBUFS) => Ok(Read::Overflow),
                _ => Err(error),
            },
        }
    }
}

/// Whether a dump goes on after a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// Yes, or it is no dump.
    Yes,
    /// That was its end.
    Done,
    /// The kernel refused, with this error number.
    Error(i32),
}

/// Takes a datagram apart. `None`: it is broken, or not about conntrack.
pub fn parse(mut bytes: &[u8], mut each: impl FnMut(Change)) -> Option<More> {
    while !bytes.is_empty() {
        let length = NetlinkBuffer::new_checked(bytes).ok()?.length() as usize;
        let message = NetlinkMessage::<NetfilterMessage>::deserialize(bytes.get(..length)?).ok()?;
        match message.payload {
            NetlinkPayload::InnerMessage(message) => change(&message).into_iter().for_each(&mut each),
            NetlinkPayload::Done(_) => return Some(More::Done),
            NetlinkPayload::Error(error) => return Some(More::Error(error.code.map_or(0, std::num::NonZeroI32::get))),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(More::Yes)
}

impl std::fmt::Debug for EventSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventSocket").field("fd", &self.socket.as_raw_fd()).finish_non_exhaustive()
    }
}
