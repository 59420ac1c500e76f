//! Addresses as records tell them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use observer_ebpf::wire::Tuple;

/// This end and the other end. IPv4-mapped addresses become IPv4.
pub(super) fn ends(tuple: &Tuple) -> (SocketAddr, SocketAddr) {
    let address = |bytes: [u8; 16], port| SocketAddr::new(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical(), port);
    (address(tuple.local, tuple.local_port), address(tuple.remote, tuple.remote_port))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use observer_ebpf::wire::Tuple;

    use super::ends;

    #[test]
    fn mapped_addresses_become_ipv4() {
        let tuple = Tuple {
            local: Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets(),
            remote: Ipv6Addr::LOCALHOST.octets(),
            local_port: 80,
            remote_port: 40_000,
            reserved: 0,
        };
        let (local, remote) = ends(&tuple);
        assert_eq!(local.to_string(), "10.0.0.1:80");
        assert_eq!(remote.to_string(), "[::1]:40000");
    }
}
