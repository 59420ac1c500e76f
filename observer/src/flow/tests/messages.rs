//! Kinds of messages.

use super::simulator::World;
use crate::{
    flow::Side,
    record::{Exchange, ExchangeEnd},
};

const GET: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";

/// Segments of a request and of its answer.
type Talk<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// One exchange after another on one connection.
fn talk(side: Side, exchanges: &[Talk<'_>]) -> (World, Vec<Exchange>) {
    let mut world = World::new(false);
    let mut socket = world.open(1, side);
    for (requests, answers) in exchanges {
        for bytes in *requests {
            socket.request(&mut world, bytes);
        }
        for bytes in *answers {
            socket.answer(&mut world, bytes);
        }
    }
    match side {
        Side::Client => world.closed_by_peer(&socket),
        Side::Server => world.close(&socket),
    }
    let seen = world.exchanges();
    (world, seen)
}

fn statuses(seen: &[Exchange]) -> Vec<(u32, Option<u16>, ExchangeEnd)> {
    seen.iter().map(|exchange| (exchange.index, exchange.status, exchange.end)).collect()
}

const COMPLETE: ExchangeEnd = ExchangeEnd::Complete;

#[test]
fn keep_alive_with_lengths() {
    for side in [Side::Client, Side::Server] {
        let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let none: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let (world, seen) = talk(side, &[(&[GET], &[ok]), (&[GET], &[none]), (&[GET], &[ok])]);
        assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(404), COMPLETE), (2, Some(200), COMPLETE)]);
        assert_eq!(seen[0].request_bytes, GET.len() as u64);
        assert_eq!(seen[0].response_bytes, ok.len() as u64);
        assert_eq!(seen[0].path, "/a");
        assert_eq!((seen[0].reused, seen[1].reused), (false, true));
        assert_eq!(world.connections()[0].exchanges, 3);
        assert!(world.table.counters().lost().values().all(|lost| *lost == 0));
    }
}

#[test]
fn a_body_that_looks_like_heads() {
    let body = b"HTTP/1.1 500 No\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let (_, seen) = talk(
        Side::Client,
        &[(&[GET], &[head.as_bytes(), body]), (&[GET], &[head.as_bytes(), &body[..20], &body[20..]])],
    );
    assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(200), COMPLETE)]);
    assert_eq!(seen[1].response_bytes, (head.len() + body.len()) as u64);
}

#[test]
fn request_bodies_and_100_continue() {
    let head: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n";
    let mut world = World::new(false);
    let mut socket = world.open(1, Side::Server);
    socket.request(&mut world, head);
    socket.answer(&mut world, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.request(&mut world, b"abc");
    socket.request(&mut world, b"def");
    let before_answer_ns = world.now_ns;
    socket.answer(&mut world, b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    let seen = world.exchanges();
    assert_eq!(statuses(&seen), [(0, Some(201), COMPLETE)]);
    assert_eq!(seen[0].request_end_ns, Some(before_answer_ns));
    assert!(seen[0].response_start_ns.unwrap() > before_answer_ns);
    assert_eq!(seen[0].request_bytes, head.len() as u64 + 6);
    assert_eq!(world.table.counters().interim_answers, 1);
}

#[test]
fn interim_and_final_answer_in_one_segment() {
    let both: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (_, seen) = talk(Side::Client, &[(&[GET], &[both]), (&[GET], &[both])]);
    assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(200), COMPLETE)]);
}

#[test]
fn answers_without_a_body() {
    let head: &[u8] = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
    let with_length: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    let no_content: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    let not_modified: &[u8] = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n";
    let exchanges: [Talk<'_>; 3] = [(&[head], &[with_length]), (&[GET], &[no_content]), (&[GET], &[not_modified])];
    let (_, seen) = talk(Side::Server, &exchanges);
    assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(204), COMPLETE), (2, Some(304), COMPLETE)]);
}

#[test]
fn chunked_in_one_segment_and_in_many() {
    let head: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let all: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let parts: &[&[u8]] = &[head, b"5\r\nhello\r\n", b"0", b"\r\n\r", b"\n"];
    let (world, seen) = talk(Side::Client, &[(&[GET], &[all]), (&[GET], parts), (&[GET], &[all])]);
    assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(200), COMPLETE), (2, Some(200), COMPLETE)]);
    assert_eq!(seen[1].response_bytes, all.len() as u64);
    assert!(world.table.counters().lost().values().all(|lost| *lost == 0));
}

#[test]
fn chunked_with_trailers_ends_before_the_next_request() {
    let all: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    let (_, seen) = talk(Side::Client, &[(&[GET], &[all]), (&[GET], &[all])]);
    // Nothing follows the second: whether it was cut cannot be told.
    assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(200), ExchangeEnd::Closed)]);
    assert!(seen[0].response_end_ns.unwrap() < seen[1].request_start_ns);
}

#[test]
fn chunked_requests() {
    let head: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (_, seen) = talk(
        Side::Server,
        &[
            (&[head, b"3\r\nabc\r\n0\r\n\r\n"], &[ok]),
            (&[head, b"3\r\nabc\r\n0\r\nT: 1\r\n\r\n"], &[ok]),
            (&[GET], &[ok]),
        ],
    );
    assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE), (1, Some(200), COMPLETE), (2, Some(200), COMPLETE)]);
}

#[test]
fn a_cut_chunked_body_is_not_complete() {
    let cut: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    let (_, seen) = talk(Side::Client, &[(&[GET], &[cut])]);
    assert_eq!(statuses(&seen), [(0, Some(200), ExchangeEnd::Closed)]);
    assert_eq!(seen[0].response_end_ns, None);
}

#[test]
fn http_1_0_until_close() {
    let answer: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello";
    for side in [Side::Client, Side::Server] {
        let (_, seen) = talk(side, &[(&[b"GET / HTTP/1.0\r\n\r\n"], &[answer, b" world"])]);
        assert_eq!(statuses(&seen), [(0, Some(200), COMPLETE)]);
        assert_eq!(seen[0].response_bytes, answer.len() as u64 + 6);
    }
}

#[test]
fn pipelined_requests_are_marked_and_never_mixed_up() {
    let mut world = World::new(false);
    let mut socket = world.open(1, Side::Server);
    let two = [GET, b"HEAD /second HTTP/1.1\r\n\r\n"].concat();
    socket.request(&mut world, &two);
    socket.request(&mut world, GET);
    socket.answer(&mut world, b"HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\na");
    socket.answer(&mut world, b"HTTP/1.1 202 B\r\nContent-Length: 9\r\n\r\n");
    socket.answer(&mut world, b"HTTP/1.1 203 C\r\nContent-Length: 1\r\n\r\nc");
    let seen = world.exchanges();
    assert_eq!(statuses(&seen), [(0, Some(201), COMPLETE), (1, Some(202), COMPLETE), (2, Some(203), COMPLETE)]);
    assert_eq!(seen.iter().map(|exchange| exchange.pipelined).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(seen[1].path, "/second");
    assert_eq!(world.table.counters().pipelined, 2);
}

#[test]
fn upgrade_and_connect() {
    let upgraded: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";
    let (_, seen) = talk(Side::Client, &[(&[GET], &[upgraded]), (&[b"GET / HTTP/1.1\r\n\r\n"], &[b"\x81\x05hello"])]);
    assert_eq!(statuses(&seen), [(0, Some(101), ExchangeEnd::Upgraded)]);
    let (_, seen) = talk(Side::Client, &[(&[b"CONNECT x:443 HTTP/1.1\r\n\r\n"], &[b"HTTP/1.1 200 OK\r\n\r\n"])]);
    assert_eq!(statuses(&seen), [(0, Some(200), ExchangeEnd::Upgraded)]);
}

#[test]
fn garbage_is_a_flow_without_exchanges() {
    let (world, seen) = talk(Side::Server, &[(&[b"EHLO me\r\n\r\n"], &[b"250 OK\r\n"]), (&[GET], &[])]);
    assert!(seen.is_empty());
    assert!(world.connections()[0].not_http);
    assert_eq!(world.table.counters().not_http, 1);
}

#[test]
fn an_early_answer_leaves_the_request_incomplete() {
    let head: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n";
    let (_, seen) = talk(Side::Server, &[(&[head, b"abc"], &[b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"])]);
    assert_eq!(statuses(&seen), [(0, Some(413), COMPLETE)]);
    assert_eq!(seen[0].request_end_ns, None);
    assert_eq!(seen[0].request_bytes, head.len() as u64 + 3);
}

#[test]
fn probes_are_marked() {
    let mut world = World::new(false);
    let mut socket = world.open(1, Side::Server);
    socket.request(&mut world, b"GET /healthz HTTP/1.1\r\nUser-Agent: kube-probe/1.36\r\n\r\n");
    socket.answer(&mut world, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let crate::flow::Output::Exchange(seen) = &world.out[0] else { panic!() };
    assert!(seen.probe);
}
