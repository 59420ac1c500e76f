//! Traffic that is hard to follow: what the network does to segments, and what endpoints may do to connections.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _},
    time::Duration,
};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect as connect_socket, setsockopt, socket, sockopt,
};
use observer::{
    flow::Side,
    record::{Close, Exchange, ExchangeEnd, Outcome},
};

use crate::{
    observed::{in_own_network, observe, run},
    servers::{GET, OK, connect, read_bytes, read_until, serve_one},
};

const SIDES: [Side; 2] = [Side::Client, Side::Server];
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn told(exchanges: &[Exchange]) -> Vec<(u32, Option<u16>, ExchangeEnd)> {
    exchanges.iter().map(|exchange| (exchange.index, exchange.status, exchange.end)).collect()
}

fn all_complete(count: u32) -> Vec<(u32, Option<u16>, ExchangeEnd)> {
    (0..count).map(|index| (index, Some(200), ExchangeEnd::Complete)).collect()
}

/// The trace id is at the very end of 64 KB: in small pieces it is found, in a single segment it is counted as lost.
#[test]
fn heads_of_64_kilobytes() {
    let Some(mut observed) = observe() else { return };
    let head = |id: &str| {
        let cookie = "c".repeat(65_000);
        format!("GET /big HTTP/1.1\r\nCookie: {cookie}\r\ntraceparent: 00-{id}-b7ad6b7169203331-01\r\n\r\n")
    };
    let (address, server) = serve_one(|mut stream| {
        for _ in 0..2 {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(OK).unwrap();
        }
    });
    observed.watch(address);
    let mut client = connect(address);
    for size in [usize::MAX, 1_400] {
        for part in head(TRACE).as_bytes().chunks(size) {
            client.write_all(part).unwrap();
        }
        read_bytes(&mut client, OK.len());
    }
    server.join().unwrap();
    drop(client);
    observed.settle_with_losses();
    // 8 KiB of a head are taken from one segment, as much as the usual servers take at all. How the kernel cuts the stream into
    // segments is its own choice: what is told is exact, and what is not told is counted.
    let lost = observed.kernel.counters().lost["head_truncated"];
    let mut whole = 0;
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        whole += exchanges.len() as u64;
        assert_eq!(told(&exchanges), all_complete(exchanges.len() as u32), "{side:?}");
        for exchange in exchanges {
            assert_eq!(exchange.request_bytes, head(TRACE).len() as u64, "{side:?}");
            assert_eq!(exchange.trace_id.as_deref(), Some(TRACE), "{side:?}");
        }
    }
    assert!(whole == 4 || lost > 0, "{whole} of 4 are told and nothing is counted");
}

/// Trailers, an answer that must not have a body whatever its head says, and HTTP/1.0 with and without keep-alive.
#[test]
fn trailers_not_modified_and_http_1_0() {
    let Some(mut observed) = observe() else { return };
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nkept",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    ];
    let (address, server) = serve_one(move |mut stream| {
        for answer in answers {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(answer).unwrap();
        }
    });
    observed.watch(address);
    let mut client = connect(address);
    let keep = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    for (request, answer) in [GET, GET, keep, b"GET / HTTP/1.0\r\n\r\n"].into_iter().zip(answers) {
        client.write_all(request).unwrap();
        read_bytes(&mut client, answer.len());
    }
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    server.join().unwrap();
    drop(client);
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        let complete = ExchangeEnd::Complete;
        let expected =
            [(0, Some(200), complete), (1, Some(304), complete), (2, Some(200), complete), (3, Some(200), complete)];
        assert_eq!(told(&exchanges), expected, "{side:?}");
        for (exchange, answer) in exchanges.iter().zip(answers) {
            assert_eq!(exchange.response_bytes, answer.len() as u64, "{side:?}");
        }
    }
}

/// Drops some packets of this network namespace, by count.
fn lose(rule: &str) {
    run("nft", &["add table ip lossy; add chain ip lossy in { type filter hook input priority 0; }"]);
    run("nft", &[&format!("add rule ip lossy in {rule} drop")]);
}

/// Each third segment with data is lost and sent again: no byte counts twice, and no exchange is missed.
#[test]
fn lost_segments_are_sent_again_and_counted_once() {
    segments_are_lost(20_801, Age::Younger);
}

/// The same on a connection that is older than the observer, for which the kernel calls no callback.
#[test]
fn lost_segments_of_an_older_connection() {
    segments_are_lost(20_803, Age::Older);
}

/// Of a connection, beside the observer's.
#[derive(Clone, Copy, PartialEq)]
enum Age {
    Younger,
    Older,
}

fn segments_are_lost(port: u16, age: Age) {
    let Some(mut observed) = observe() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if age == Age::Younger {
        observed.watch(address);
    }
    in_own_network(|| {
        let listener = TcpListener::bind(address).unwrap();
        lose(&format!("tcp sport {0} tcp flags & psh == psh numgen inc mod 3 1", address.port()));
        lose(&format!("tcp dport {0} tcp flags & psh == psh numgen inc mod 3 2", address.port()));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..6 {
                read_until(&mut stream, b"\r\n\r\n");
                stream.write_all(OK).unwrap();
            }
        });
        let mut client = connect(address);
        if age == Age::Older {
            observed.watch(address);
        }
        for _ in 0..6 {
            client.write_all(GET).unwrap();
            read_bytes(&mut client, OK.len());
        }
        server.join().unwrap();
    });
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(told(&exchanges), all_complete(6), "{side:?}");
        for exchange in &exchanges {
            assert_eq!((exchange.request_bytes, exchange.response_bytes), (GET.len() as u64, OK.len() as u64));
        }
        let connections = observed.connections(side);
        assert_eq!(connections.len(), 1);
        assert!(connections[0].retransmits >= 1, "{side:?}: {:?}", connections[0]);
        let (asked, answered) = (6 * GET.len() as u64, 6 * OK.len() as u64);
        let expected = if side == Side::Client { (answered, asked) } else { (asked, answered) };
        assert_eq!((connections[0].bytes_in, connections[0].bytes_out), expected, "{side:?}");
    }
}

/// The other end falls silent after the handshake: the request is sent again until the kernel gives up.
#[test]
fn half_open_until_the_kernel_gives_up() {
    let Some(mut observed) = observe() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], 20_802));
    observed.watch(address);
    in_own_network(|| {
        let listener = TcpListener::bind(address).unwrap();
        let mut client = connect(address);
        let _accepted = listener.accept().unwrap();
        setsockopt(&client, sockopt::TcpUserTimeout, &700).unwrap();
        lose(&format!("tcp dport {}", address.port()));
        client.write_all(GET).unwrap();
        client.read(&mut [0; 1]).unwrap_err();
    });
    observed.settle();
    let exchanges = observed.exchanges(Side::Client);
    assert_eq!((exchanges.len(), exchanges[0].status, exchanges[0].response_start_ns), (1, None, None));
    assert_ne!(exchanges[0].end, ExchangeEnd::Complete);
    let connections = observed.connections(Side::Client);
    assert_eq!((connections.len(), connections[0].outcome), (1, Outcome::Established));
    assert_eq!(connections[0].close, Some(Close::TimedOut));
    assert!(connections[0].retransmits >= 1);
    // The other end never learnt of the request, and nothing is made up for it.
    assert!(observed.exchanges(Side::Server).is_empty());
}

/// The request travels in the SYN itself.
#[test]
fn fast_open_carries_the_request_in_the_syn() {
    let Some(mut observed) = observe() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], 20_803));
    observed.watch(address);
    in_own_network(|| {
        std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3").unwrap();
        let listener = TcpListener::bind(address).unwrap();
        set_int(&listener, nix::libc::TCP_FASTOPEN, 16);
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                read_until(&mut stream, b"\r\n\r\n");
                stream.write_all(OK).unwrap();
                assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
            }
        });
        // The first connection gets the cookie, the second one uses it.
        for _ in 0..2 {
            let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
            set_int(&socket, nix::libc::TCP_FASTOPEN_CONNECT, 1);
            connect_socket(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, address.port())).unwrap();
            // SAFETY: the descriptor is ours and given away here.
            let mut client = unsafe { TcpStream::from_raw_fd(socket.into_raw_fd()) };
            client.write_all(GET).unwrap();
            read_bytes(&mut client, OK.len());
        }
        server.join().unwrap();
        assert!(netstat("TCPFastOpenActive") >= 1, "no request travelled in a SYN");
    });
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(exchanges.len(), 2, "{side:?}");
        for exchange in &exchanges {
            assert_eq!(
                (exchange.index, exchange.status, exchange.end),
                (0, Some(200), ExchangeEnd::Complete),
                "{side:?}"
            );
            assert_eq!((exchange.request_bytes, exchange.response_bytes), (GET.len() as u64, OK.len() as u64));
        }
        let outcomes: Vec<_> = observed.connections(side).iter().map(|it| (it.outcome, it.exchanges)).collect();
        assert_eq!(outcomes, [(Outcome::Established, 1); 2], "{side:?}");
    }
}

/// A counter of this network namespace.
fn netstat(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let position = names.split_whitespace().position(|it| it == name).unwrap();
    values.split_whitespace().nth(position).unwrap().parse().unwrap()
}

fn set_int(socket: &impl std::os::fd::AsFd, name: i32, value: nix::libc::c_int) {
    // SAFETY: a valid socket, and a value of the size that is told.
    let result = unsafe {
        nix::libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            nix::libc::IPPROTO_TCP,
            name,
            (&raw const value).cast(),
            size_of_val(&value) as nix::libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// The same four numbers again, while the first connection is still in `TIME_WAIT`: two connections, not one.
#[test]
fn a_port_used_again_within_time_wait() {
    let Some(mut observed) = observe() else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], 20_804));
    observed.watch(address);
    let local = SockaddrIn::from(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 40_444));
    in_own_network(|| {
        let listener = TcpListener::bind(address).unwrap();
        // The server closes first, so that the wait is on its side and the client may use its port at once.
        let server = std::thread::spawn(move || {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().unwrap();
                read_until(&mut stream, b"\r\n\r\n");
                stream.write_all(OK).unwrap();
            }
        });
        for _ in 0..3 {
            let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
            setsockopt(&socket, sockopt::ReuseAddr, &true).unwrap();
            bind(socket.as_raw_fd(), &local).unwrap();
            connect_socket(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, address.port())).unwrap();
            // SAFETY: the descriptor is ours and given away here.
            let mut client = unsafe { TcpStream::from_raw_fd(socket.into_raw_fd()) };
            client.write_all(GET).unwrap();
            read_bytes(&mut client, OK.len());
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            drop(client);
            std::thread::sleep(Duration::from_millis(20));
        }
        server.join().unwrap();
    });
    observed.settle();
    for side in SIDES {
        let connections = observed.connections(side);
        assert_eq!(connections.len(), 3, "{side:?}");
        let mut cookies: Vec<u64> = connections.iter().map(|connection| connection.conn).collect();
        cookies.dedup();
        assert_eq!(cookies.len(), 3, "{side:?}");
        for (connection, exchange) in connections.iter().zip(observed.exchanges(side)) {
            assert_eq!((connection.outcome, connection.exchanges), (Outcome::Established, 1), "{side:?}");
            assert_eq!(connection.close, Some(if side == Side::Client { Close::FinRemote } else { Close::FinLocal }));
            assert_eq!((exchange.index, exchange.status, exchange.reused), (0, Some(200), false), "{side:?}");
        }
    }
}

/// A client that reads slowly: the answer ends when its last byte has arrived, not when it was written.
#[test]
fn a_slow_reader_gets_one_long_answer() {
    const SIZE: usize = 16_000_000;
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'G'; SIZE]).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    });
    observed.watch(address);
    let mut client = connect(address);
    client.write_all(GET).unwrap();
    for _ in 0..10 {
        read_bytes(&mut client, SIZE / 10);
        std::thread::sleep(Duration::from_millis(30));
        observed.drain();
    }
    read_bytes(&mut client, format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").len());
    drop(client);
    server.join().unwrap();
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(told(&exchanges), all_complete(1), "{side:?}");
        let took_ns = exchanges[0].response_end_ns.unwrap() - exchanges[0].response_start_ns.unwrap();
        assert!(took_ns > 100_000_000, "{side:?}: {took_ns}");
    }
}
