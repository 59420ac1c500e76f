//! An address and port in six bytes.

use std::net::SocketAddr;

use rustc_hash::FxHashMap;

/// A host's number and a port. Two are equal exactly when the addresses are, as long as both are of one [`Hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// In two halves, so that the whole is aligned to two bytes.
    host: [u16; 2],
    port: u16,
}

impl Address {
    /// No address.
    pub const NONE: Self = Self { host: [u16::MAX; 2], port: 0 };

    fn new(host: u32, port: u16) -> Self {
        Self { host: [(host >> 16) as u16, host as u16], port }
    }

    /// The same port at another host.
    #[must_use]
    pub fn at_host(self, host: u32) -> Self {
        Self::new(host, self.port)
    }

    /// The same host with another port.
    #[must_use]
    pub fn at_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Its port.
    pub fn port(self) -> u16 {
        self.port
    }

    /// Number of the host.
    pub fn host(self) -> u32 {
        u32::from(self.host[0]) << 16 | u32::from(self.host[1])
    }
}

/// All hosts that are named, each once: an address with the port 0, because an address of IPv6 may have a scope.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    list: Vec<SocketAddr>,
    numbers: FxHashMap<SocketAddr, u32>,
}

impl Hosts {
    /// Keeps an address.
    pub fn pack(&mut self, mut address: SocketAddr) -> Address {
        let port = address.port();
        address.set_port(0);
        let next = self.list.len() as u32;
        let host = *self.numbers.entry(address).or_insert(next);
        if host == next {
            self.list.push(address);
        }
        Address::new(host, port)
    }

    /// Keeps the hosts of another list; tells the number of each, in their order.
    pub fn append(&mut self, other: &Self) -> Vec<u32> {
        other.list.iter().map(|host| self.pack(*host).host()).collect()
    }

    /// The address as it would have been kept. `None`: its host is not known.
    pub fn find(&self, mut address: SocketAddr) -> Option<Address> {
        let port = address.port();
        address.set_port(0);
        self.numbers.get(&address).map(|host| Address::new(*host, port))
    }

    /// A host, with the port 0.
    pub fn host(&self, number: u32) -> SocketAddr {
        self.list[number as usize]
    }

    /// The address, exactly as it was given.
    pub fn unpack(&self, address: Address) -> SocketAddr {
        let mut whole = self.list[address.host() as usize];
        whole.set_port(address.port);
        whole
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_address_comes_back_exactly() {
        let texts = [
            "10.244.0.10:5000",
            "10.244.0.10:0",
            "[2001:db8::1]:65535",
            "[fe80::1%2]:80",
            "[fe80::1%3]:80",
            "1.2.3.4:1",
        ];
        let mut hosts = Hosts::default();
        let packed: Vec<Address> = texts.iter().map(|text| hosts.pack(text.parse().unwrap())).collect();
        for (text, address) in texts.iter().zip(packed) {
            assert_eq!(hosts.unpack(address).to_string(), *text);
            assert_eq!(hosts.find(text.parse().unwrap()), Some(address));
        }
        assert_eq!(hosts.list.len(), 5, "two ports of one host are one host");
        assert_eq!(hosts.find("10.244.0.11:5000".parse().unwrap()), None);
        assert_eq!(Address::new(0x1234_5678, 9).host(), 0x1234_5678);
    }
}
