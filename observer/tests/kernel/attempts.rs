//! Attempts that never become connections.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use observer::{flow::Side, record::Outcome};

use crate::observed::{in_own_network, monotonic_ns, observe, run};

/// Rules for packets to `address` in this network namespace.
pub fn rule(address: SocketAddr, verdict: &str) {
    run("nft", &["add table ip filter; add chain ip filter input { type filter hook input priority 0; }"]);
    run("nft", &[&format!("add rule ip filter input tcp dport {} tcp flags syn {verdict}", address.port())]);
}

/// An address for one test: the programs see every network namespace, those of tests that run at the same time as well.
pub fn address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    SocketAddr::from(([127, 0, 0, 1], NEXT.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn refused() {
    let Some(mut observed) = observe() else { return };
    let address = address();
    observed.watch(address);
    let before_ns = monotonic_ns();
    in_own_network(|| TcpStream::connect(address).unwrap_err());
    observed.settle();
    let connections = observed.connections(Side::Client);
    assert_eq!(connections.len(), 1);
    let record = &connections[0];
    assert_eq!((record.outcome, record.established_ns, record.close), (Outcome::Refused, None, None));
    assert!(record.opened_ns > before_ns);
    assert!(record.reset_received_ns.unwrap() > record.opened_ns);
    assert!(record.closed_ns.unwrap() >= record.reset_received_ns.unwrap());
    assert_eq!(record.thread.map(|thread| thread != 0), Some(true));
    assert_eq!(record.remote, address);
    assert!(observed.connections(Side::Server).is_empty());
}

#[test]
fn unanswered_until_the_caller_gives_up() {
    let Some(mut observed) = observe() else { return };
    let address = address();
    observed.watch(address);
    in_own_network(|| {
        rule(address, "drop");
        let _listener = TcpListener::bind(address).unwrap();
        TcpStream::connect_timeout(&address, Duration::from_millis(1500)).unwrap_err();
    });
    observed.settle();
    let connections = observed.connections(Side::Client);
    assert_eq!(connections.len(), 1);
    let record = &connections[0];
    assert_eq!((record.outcome, record.syn_retransmits), (Outcome::Unanswered, 1));
    let waited_ns = record.closed_ns.unwrap() - record.opened_ns;
    assert!((1_500_000_000..2_500_000_000).contains(&waited_ns), "{waited_ns}");
}

#[test]
fn rejected_by_a_firewall() {
    for (verdict, outcome) in [("reject", Outcome::Unreachable), ("reject with tcp reset", Outcome::Refused)] {
        let Some(mut observed) = observe() else { return };
        let address = address();
        observed.watch(address);
        in_own_network(|| {
            rule(address, verdict);
            let _listener = TcpListener::bind(address).unwrap();
            TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap_err();
        });
        observed.settle();
        let connections = observed.connections(Side::Client);
        assert_eq!(connections.iter().map(|record| record.outcome).collect::<Vec<_>>(), [outcome], "{verdict}");
    }
}

#[test]
fn a_lost_syn_makes_a_slow_connection() {
    let Some(mut observed) = observe() else { return };
    let address = address();
    observed.watch(address);
    in_own_network(|| {
        // Two of three pass, the first does not.
        rule(address, "numgen inc mod 3 0 drop");
        let listener = TcpListener::bind(address).unwrap();
        let _client = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        let _server = listener.accept().unwrap();
    });
    observed.settle();
    let connections = observed.connections(Side::Client);
    assert_eq!(connections.len(), 1);
    let record = &connections[0];
    assert_eq!((record.outcome, record.syn_retransmits, record.retransmits), (Outcome::Established, 1, 0));
    assert!(record.established_ns.unwrap() - record.opened_ns > 900_000_000);
}

#[test]
fn still_pending_at_the_close_of_a_run() {
    let Some(mut observed) = observe() else { return };
    let address = address();
    observed.watch(address);
    in_own_network(|| {
        rule(address, "drop");
        let waiting = std::thread::spawn(move || TcpStream::connect_timeout(&address, Duration::from_millis(800)));
        std::thread::sleep(Duration::from_millis(300));
        observed.drain();
        observed.flow.flush(&mut observed.out);
        let outcomes: Vec<_> = observed.connections(Side::Client).iter().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [Outcome::Pending]);
        waiting.join().unwrap().unwrap_err();
    });
    observed.settle();
    let outcomes: Vec<_> = observed.connections(Side::Client).iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pending, Outcome::Unanswered]);
}

/// The only source port is in use: nothing is sent, and no hook but the end of the attempt tells of it.
#[test]
fn without_a_source_port() {
    for address in [address(), SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address().port()))] {
        let Some(mut observed) = observe() else { return };
        observed.watch(address);
        in_own_network(|| {
            std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000").unwrap();
            let _listener = TcpListener::bind(address).unwrap();
            let _only = TcpStream::connect(address).unwrap();
            let error = TcpStream::connect(address).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
        });
        observed.settle();
        let connections = observed.connections(Side::Client);
        let outcomes: Vec<_> = connections.iter().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [Outcome::Established, Outcome::NoSourcePort]);
        let (only, record) = (&connections[0], &connections[1]);
        assert_eq!((record.remote, record.local), (address, SocketAddr::new(address.ip(), 0)));
        assert_eq!((record.syn_retransmits, record.established_ns), (0, None));
        assert!(record.opened_ns > only.opened_ns && record.closed_ns == Some(record.opened_ns));
        assert_eq!((record.thread, only.thread.is_some()), (only.thread, true));
    }
}
