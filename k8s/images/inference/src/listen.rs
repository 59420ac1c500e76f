//! The listening socket, as Go opens it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpSocket};

/// What `net.Listen` uses: the kernel caps it at net.core.somaxconn.
const BACKLOG: u32 = 4096;

/// Where to listen: `:5000` (every address, IPv6 and IPv4) or `ADDRESS:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Every address of the host.
    AnyAddress(u16),
    /// One address.
    At(SocketAddr),
}

/// The text is neither `:PORT` nor `ADDRESS:PORT`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address to listen on; write :PORT or ADDRESS:PORT, such as :5000 or 127.0.0.1:5000")]
pub struct BadListen(String);

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        let bad = || BadListen(text.to_owned());
        match text.strip_prefix(':') {
            Some(port) => port.parse().map(Self::AnyAddress).map_err(|_| bad()),
            None => text.parse().map(Self::At).map_err(|_| bad()),
        }
    }
}

impl Listen {
    /// Binds and listens. Port 0 takes a free one.
    pub fn open(self) -> io::Result<TcpListener> {
        match self {
            Self::At(address) => bind(address),
            // A dual-stack socket where there is IPv6, as in Go: peers show as ::ffff:a.b.c.d.
            Self::AnyAddress(port) => {
                bind((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.raw_os_error() {
                    Some(code) if code == nix::libc::EAFNOSUPPORT || code == nix::libc::EADDRNOTAVAIL => {
                        bind((Ipv4Addr::UNSPECIFIED, port).into())
                    }
                    _ => Err(error),
                })
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_both_forms() {
        assert_eq!(":5000".parse::<Listen>().unwrap(), Listen::AnyAddress(5000));
        assert_eq!("127.0.0.1:80".parse::<Listen>().unwrap(), Listen::At(SocketAddr::from(([127, 0, 0, 1], 80))));
        for bad in ["5000", ":", ":70000", "localhost"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }
}
