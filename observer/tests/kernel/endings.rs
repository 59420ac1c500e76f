//! How connections end, and connections that were there before.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv6Addr, TcpListener},
    os::fd::AsRawFd as _,
};

use nix::sys::socket::{setsockopt, sockopt};
use observer::{
    flow::Side,
    record::{Close, ExchangeEnd, Outcome},
};

use crate::{
    observed::observe,
    servers::{GET, OK, connect, read_bytes, read_until, serve_one},
};

/// Makes `close()` send a reset.
pub fn reset_on_close(stream: &std::net::TcpStream) {
    setsockopt(stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
}

#[test]
fn cut_in_flight_by_a_reset() {
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        reset_on_close(&stream);
    });
    observed.watch(address);
    let mut client = connect(address);
    client.write_all(GET).unwrap();
    client.read(&mut [0; 10]).unwrap_err();
    server.join().unwrap();
    observed.settle();
    for (side, close) in [(Side::Client, Close::ResetRemote), (Side::Server, Close::ResetLocal)] {
        let exchanges = observed.exchanges(side);
        assert_eq!((exchanges.len(), exchanges[0].status, exchanges[0].end), (1, None, ExchangeEnd::Reset));
        let connections = observed.connections(side);
        assert_eq!((connections[0].outcome, connections[0].close), (Outcome::Established, Some(close)));
        assert_eq!(connections[0].reset_received_ns.is_some(), side == Side::Client);
        assert_eq!(connections[0].reset_sent_ns.is_some(), side == Side::Server);
    }
}

#[test]
fn closed_without_an_answer_and_in_the_middle_of_one() {
    let Some(mut observed) = observe() else { return };
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let (address, server) = serve_one(move |mut stream| {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(answer).unwrap();
        });
        observed.watch(address);
        let mut client = connect(address);
        client.write_all(GET).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        server.join().unwrap();
    }
    observed.settle();
    for side in [Side::Client, Side::Server] {
        let ends: Vec<_> = observed
            .exchanges(side)
            .iter()
            .map(|exchange| (exchange.status, exchange.end, exchange.response_end_ns))
            .collect();
        assert_eq!(ends, [(None, ExchangeEnd::Closed, None), (Some(200), ExchangeEnd::Closed, None)], "{side:?}");
    }
}

#[test]
fn connections_older_than_the_observer() {
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        for _ in 0..3 {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(OK).unwrap();
        }
    });
    let mut client = connect(address);
    for number in 0..3 {
        if number == 1 {
            observed.watch(address);
        }
        client.write_all(GET).unwrap();
        read_bytes(&mut client, OK.len());
    }
    server.join().unwrap();
    drop(client);
    observed.settle();
    for side in [Side::Client, Side::Server] {
        let exchanges = observed.exchanges(side);
        assert_eq!(exchanges.len(), 2, "{side:?}");
        for exchange in exchanges {
            assert_eq!((exchange.status, exchange.end, exchange.reused), (Some(200), ExchangeEnd::Complete, true));
        }
        let connections = observed.connections(side);
        assert_eq!((connections.len(), connections[0].predates_observer), (1, true));
        assert_eq!(connections[0].outcome, Outcome::Established);
    }
}

#[test]
fn deferred_accept_brings_the_request_before_the_socket() {
    let Some(mut observed) = observe() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let seconds: nix::libc::c_int = 5;
    // SAFETY: a valid socket, and a value of the size that is told.
    let result = unsafe {
        nix::libc::setsockopt(
            listener.as_raw_fd(),
            nix::libc::IPPROTO_TCP,
            nix::libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of_val(&seconds) as nix::libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
    let address = listener.local_addr().unwrap();
    observed.watch(address);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..2 {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(OK).unwrap();
        }
    });
    let mut client = connect(address);
    for _ in 0..2 {
        client.write_all(GET).unwrap();
        read_bytes(&mut client, OK.len());
    }
    server.join().unwrap();
    drop(client);
    observed.settle();
    for side in [Side::Client, Side::Server] {
        let exchanges = observed.exchanges(side);
        assert_eq!(exchanges.len(), 2, "{side:?}");
        for exchange in &exchanges {
            assert_eq!((exchange.status, exchange.end), (Some(200), ExchangeEnd::Complete));
        }
        assert_eq!(observed.connections(side).len(), 1);
    }
    assert!(observed.exchanges(Side::Server)[0].request_read_ns.is_some());
}

#[test]
fn both_address_families_on_one_listener() {
    let Some(mut observed) = observe() else { return };
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    observed.kernel.watch_ports(&[port]).unwrap();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(OK).unwrap();
        }
    });
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let mut client = connect(address.parse().unwrap());
        client.write_all(GET).unwrap();
        read_bytes(&mut client, OK.len());
    }
    server.join().unwrap();
    observed.settle();
    for side in [Side::Client, Side::Server] {
        let exchanges = observed.exchanges(side);
        let mut ends: Vec<String> = exchanges
            .iter()
            .map(|exchange| if side == Side::Client { exchange.remote } else { exchange.local }.to_string())
            .collect();
        ends.sort();
        assert_eq!(ends, [format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
    }
}
