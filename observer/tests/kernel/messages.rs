//! Kinds of messages on real sockets, seen at both ends.

use std::io::{Read as _, Write as _};

use observer::{
    flow::Side,
    record::{Close, Exchange, ExchangeEnd, Outcome},
};

use crate::{
    observed::observe,
    servers::{GET, OK, connect, read_bytes, read_until, serve_one, write_parts},
};

const SIDES: [Side; 2] = [Side::Client, Side::Server];

fn told(exchanges: &[Exchange]) -> Vec<(u32, Option<u16>, ExchangeEnd)> {
    exchanges.iter().map(|exchange| (exchange.index, exchange.status, exchange.end)).collect()
}

#[test]
fn keep_alive() {
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        for _ in 0..3 {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(OK).unwrap();
        }
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    });
    observed.watch(address);
    let mut client = connect(address);
    for _ in 0..3 {
        client.write_all(GET).unwrap();
        read_bytes(&mut client, OK.len());
    }
    drop(client);
    server.join().unwrap();
    observed.settle();

    let complete = ExchangeEnd::Complete;
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(told(&exchanges), [(0, Some(200), complete), (1, Some(200), complete), (2, Some(200), complete)]);
        for exchange in &exchanges {
            assert_eq!((exchange.method.as_str(), exchange.path.as_str()), ("GET", "/a"));
            assert_eq!((exchange.request_bytes, exchange.response_bytes), (GET.len() as u64, OK.len() as u64));
            assert!(exchange.request_end_ns.unwrap() <= exchange.response_start_ns.unwrap());
            assert_eq!(exchange.request_read_ns.is_some(), side == Side::Server);
            assert_eq!(exchange.response_read_ns.is_some(), side == Side::Client);
            assert!(exchange.thread.is_some());
            assert!(!format!("{exchange:?}").contains("secret"));
        }
        let connections = observed.connections(side);
        assert_eq!(connections.len(), 1);
        let connection = &connections[0];
        assert_eq!((connection.outcome, connection.exchanges), (Outcome::Established, 3));
        let close = if side == Side::Client { Close::FinLocal } else { Close::FinRemote };
        assert_eq!(connection.close, Some(close));
        let (asked, answered) = (3 * GET.len() as u64, 3 * OK.len() as u64);
        let (bytes_in, bytes_out) = if side == Side::Client { (answered, asked) } else { (asked, answered) };
        assert_eq!((connection.bytes_in, connection.bytes_out), (bytes_in, bytes_out));
        assert!(connection.srtt_us.is_some());
    }
    // The client's and the server's clocks are one: what leaves arrives later.
    for (client, server) in observed.exchanges(Side::Client).iter().zip(observed.exchanges(Side::Server)) {
        assert!(client.request_start_ns < server.request_start_ns);
        assert!(server.response_start_ns < client.response_start_ns);
    }
}

#[test]
fn heads_split_down_to_single_bytes() {
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        stream.set_nodelay(true).unwrap();
        for _ in 0..2 {
            read_until(&mut stream, b"\r\n\r\n");
            for byte in OK {
                stream.write_all(&[*byte]).unwrap();
            }
        }
    });
    observed.watch(address);
    let mut client = connect(address);
    for _ in 0..2 {
        for byte in GET {
            client.write_all(&[*byte]).unwrap();
        }
        read_bytes(&mut client, OK.len());
    }
    server.join().unwrap();
    drop(client);
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(told(&exchanges), [(0, Some(200), ExchangeEnd::Complete), (1, Some(200), ExchangeEnd::Complete)]);
        for exchange in exchanges {
            assert_eq!((exchange.request_bytes, exchange.response_bytes), (GET.len() as u64, OK.len() as u64));
        }
    }
}

#[test]
fn every_framing_on_one_connection() {
    let Some(mut observed) = observe() else { return };
    let chunked_head: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (address, server) = serve_one(move |mut stream| {
        let stream = &mut stream;
        read_until(stream, b"\r\n\r\n");
        write_parts(
            stream,
            &[b"HTTP/1.1 201 OK\r\nContent-Length: 30\r\n\r\n", b"HTTP/1.1 500 x\r\n\r\n", b"GET / HTTP/1"],
        );
        read_until(stream, b"\r\n\r\n");
        write_parts(stream, &[chunked_head, b"5\r\nhello\r\n", b"0", b"\r\n", b"\r\n"]);
        read_until(stream, b"\r\n\r\n");
        write_parts(stream, &[b"HTTP/1.1 203 OK\r\nContent-Length: 4000\r\n\r\n"]);
        read_until(stream, b"0\r\n\r\n");
        write_parts(stream, &[b"HTTP/1.1 204 No Content\r\n\r\n"]);
        read_until(stream, b"\r\n\r\n");
        write_parts(stream, &[b"HTTP/1.1 100 Continue\r\n\r\n"]);
        read_until(stream, b"abcdef");
        write_parts(stream, &[b"HTTP/1.1 205 OK\r\nContent-Length: 0\r\n\r\n"]);
        read_until(stream, b"\r\n\r\n");
        write_parts(stream, &[b"HTTP/1.1 206 OK\r\n\r\nuntil", b" the end"]);
    });
    observed.watch(address);
    let mut client = connect(address);
    client.write_all(GET).unwrap();
    read_until(&mut client, b"GET / HTTP/1");
    client.write_all(GET).unwrap();
    read_until(&mut client, b"0\r\n\r\n");
    client.write_all(b"HEAD / HTTP/1.1\r\n\r\n").unwrap();
    read_until(&mut client, b"\r\n\r\n");
    write_parts(&mut client, &[b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"0\r\n\r\n"]);
    read_until(&mut client, b"\r\n\r\n");
    client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n").unwrap();
    read_until(&mut client, b"Continue\r\n\r\n");
    write_parts(&mut client, &[b"abc", b"def"]);
    read_until(&mut client, b"\r\n\r\n");
    client.write_all(GET).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    server.join().unwrap();
    drop(client);
    observed.settle();

    for side in SIDES {
        let exchanges = observed.exchanges(side);
        let expected: Vec<_> = [201, 200, 203, 204, 205, 206]
            .into_iter()
            .enumerate()
            .map(|(index, status)| (index as u32, Some(status), ExchangeEnd::Complete))
            .collect();
        assert_eq!(told(&exchanges), expected, "{side:?}");
        assert_eq!(exchanges[0].response_bytes, 39 + 30);
        assert_eq!(exchanges[1].response_bytes, chunked_head.len() as u64 + 15);
        assert_eq!(exchanges[2].response_bytes, 41);
        assert_eq!(exchanges[5].response_bytes, rest.len() as u64);
        assert!(exchanges[4].request_end_ns.unwrap() - exchanges[4].request_start_ns > 1_000);
    }
}

#[test]
fn long_heads_in_one_segment_and_in_many() {
    let Some(mut observed) = observe() else { return };
    let lengths = [300, 1_000, 1_100, 3_900, 7_000, 30_000];
    let (address, server) = serve_one(move |mut stream| {
        for _ in lengths {
            read_until(&mut stream, b"\r\n\r\n");
            stream.write_all(OK).unwrap();
        }
    });
    observed.watch(address);
    let mut client = connect(address);
    for length in lengths {
        let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
        let head = format!("GET / HTTP/1.1\r\nCookie: {}\r\n{trace}\r\n", "c".repeat(length));
        // Segments of at most 8 KB: loopback's would be of any size.
        for part in head.as_bytes().chunks(8_000) {
            client.write_all(part).unwrap();
        }
        read_bytes(&mut client, OK.len());
    }
    server.join().unwrap();
    drop(client);
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(exchanges.len(), lengths.len());
        for exchange in exchanges {
            assert_eq!(exchange.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        }
    }
}

#[test]
fn large_bodies_both_ways() {
    const SIZE: usize = 20_000_000;
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        read_bytes(&mut stream, SIZE);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'G'; SIZE]).unwrap();
        read_until(&mut stream, b"\r\n\r\n");
        stream.write_all(OK).unwrap();
    });
    observed.watch(address);
    let mut client = connect(address);
    let head = format!("POST / HTTP/1.1\r\nContent-Length: {SIZE}\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&vec![b'P'; SIZE]).unwrap();
    read_bytes(&mut client, SIZE + 45);
    client.write_all(GET).unwrap();
    read_bytes(&mut client, OK.len());
    server.join().unwrap();
    drop(client);
    observed.settle();
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(told(&exchanges), [(0, Some(200), ExchangeEnd::Complete), (1, Some(200), ExchangeEnd::Complete)]);
        assert_eq!(exchanges[0].request_bytes, (head.len() + SIZE) as u64);
        assert_eq!(exchanges[0].response_bytes, (SIZE + 45) as u64);
    }
}

#[test]
fn pipelined_upgraded_foreign() {
    let Some(mut observed) = observe() else { return };
    let (address, server) = serve_one(|mut stream| {
        read_until(&mut stream, b"/2 HTTP/1.1\r\n\r\n");
        stream.write_all(&[OK, b"HTTP/1.1 202 B\r\nContent-Length: 0\r\n\r\n"].concat()).unwrap();
        read_until(&mut stream, b"/3 HTTP/1.1\r\n\r\n");
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
        read_until(&mut stream, b"GET / HTTP/1.1\r\n\r\n");
    });
    observed.watch(address);
    let mut client = connect(address);
    client.write_all(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n").unwrap();
    read_until(&mut client, b"0\r\n\r\n");
    client.write_all(b"GET /3 HTTP/1.1\r\n\r\n").unwrap();
    read_until(&mut client, b"\r\n\r\n");
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    server.join().unwrap();
    drop(client);
    observed.settle_with_losses();
    // Both answers in one segment, the second behind a body: it is not seen, and nothing is guessed.
    for side in SIDES {
        let exchanges = observed.exchanges(side);
        assert_eq!(exchanges[0].status, Some(200));
        assert_eq!(exchanges.iter().map(|exchange| exchange.pipelined).collect::<Vec<_>>()[..2], [false, true]);
        assert_eq!((exchanges[1].status, exchanges[1].end), (None, ExchangeEnd::Unparsed));
        assert_eq!((exchanges[2].status, exchanges[2].end), (Some(101), ExchangeEnd::Upgraded));
        assert_eq!(exchanges.len(), 3);
    }
}

#[test]
fn other_protocols_are_flows_without_exchanges() {
    let Some(mut observed) = observe() else { return };
    for first in [&b"\x16\x03\x01\x02\x00secret"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"EHLO secret\r\n"] {
        let length = first.len();
        let (address, server) = serve_one(move |mut stream| {
            read_bytes(&mut stream, length);
            stream.write_all(b"\x00\x01HTTP/1.1 200 OK\r\n\r\n").unwrap();
        });
        observed.watch(address);
        let mut client = connect(address);
        client.write_all(first).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        server.join().unwrap();
    }
    observed.settle();
    for side in SIDES {
        assert!(observed.exchanges(side).is_empty());
        let connections = observed.connections(side);
        assert_eq!(connections.len(), 3);
        for connection in connections {
            assert!(connection.not_http);
            assert!(connection.bytes_in > 0 && connection.bytes_out > 0);
        }
    }
    assert_eq!(observed.flow.counters().http2, 2);
}
