//! However the bytes are cut into segments, repeated and reordered: the same exchanges.

use proptest::prelude::*;

use super::simulator::World;
use crate::{flow::Side, record::ExchangeEnd};

/// Requests and answers of each framing.
fn message(kind: u8, body: usize) -> (Vec<u8>, Vec<u8>, u16) {
    let text = "HTTP/1.1 x\r\n\r\nGET / HTTP/1.1\r\n\r\n".repeat(body / 30 + 1);
    let text = &text[..body];
    let chunked = if body == 0 { "0\r\n\r\n".to_owned() } else { format!("{body:x}\r\n{text}\r\n0\r\n\r\n") };
    match kind % 5 {
        0 => (
            b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n{text}").into_bytes(),
            200,
        ),
        1 => (
            format!("POST /b HTTP/1.1\r\nContent-Length: {body}\r\n\r\n{text}").into_bytes(),
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            204,
        ),
        2 => (
            b"HEAD /c HTTP/1.1\r\n\r\n".to_vec(),
            format!("HTTP/1.1 404 No\r\nContent-Length: {body}\r\n\r\n").into_bytes(),
            404,
        ),
        3 => (
            b"GET /d HTTP/1.1\r\n\r\n".to_vec(),
            format!("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}").into_bytes(),
            500,
        ),
        _ => (
            format!("PUT /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}").into_bytes(),
            b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n".to_vec(),
            201,
        ),
    }
}

/// Segments of one message: cut anywhere.
fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % bytes.len()).chain([bytes.len()]).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut begin = 0;
    let mut segments = Vec::new();
    for end in ends {
        if end > begin {
            segments.push((begin, end));
            begin = end;
        }
    }
    segments
}

proptest! {
    #[test]
    fn any_split_gives_the_same_exchanges(
        server in any::<bool>(),
        messages in proptest::collection::vec((0_u8..5, 0_usize..200, proptest::collection::vec(any::<usize>(), 0..12)), 1..6),
    ) {
        let side = if server { Side::Server } else { Side::Client };
        let mut world = World::new(false);
        let mut socket = world.open(1, side);
        let mut expected = Vec::new();
        for (kind, body, cuts) in &messages {
            let (request, answer, status) = message(*kind, *body);
            for (begin, end) in cut(&request, cuts) {
                socket.request(&mut world, &request[begin..end]);
            }
            for (begin, end) in cut(&answer, cuts) {
                socket.answer(&mut world, &answer[begin..end]);
            }
            expected.push((Some(status), ExchangeEnd::Complete, request.len() as u64, answer.len() as u64));
        }
        let seen: Vec<_> = world
            .exchanges()
            .iter()
            .map(|seen| (seen.status, seen.end, seen.request_bytes, seen.response_bytes))
            .collect();
        prop_assert_eq!(seen, expected);
        prop_assert!(world.table.counters().lost().values().all(|lost| *lost == 0));
    }

    /// Inbound segments may be repeated and overtake each other, except the first: what overtakes the beginning of a head is
    /// taken for a body, and bodies do not leave the kernel. Chunked bodies are left out: when their last segment is
    /// overtaken, the end is told by what follows.
    #[test]
    fn repeated_and_reordered_segments_give_the_same_exchanges(
        messages in proptest::collection::vec((0_u8..3, 0_usize..200, proptest::collection::vec(any::<usize>(), 0..8), any::<u64>()), 1..6),
    ) {
        let mut world = World::new(false);
        let mut socket = world.open(1, Side::Server);
        let mut seq = 0xffff_fff0_u32.wrapping_add(1);
        let mut expected = Vec::new();
        for (kind, body, cuts, shuffle) in &messages {
            let (request, answer, status) = message(*kind, *body);
            let mut segments = cut(&request, cuts);
            let again = segments[*shuffle as usize % segments.len()];
            segments.push(again);
            let mut random = *shuffle | 1;
            for i in (2..segments.len()).rev() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                segments.swap(i, 1 + (random >> 33) as usize % i);
            }
            for (begin, end) in segments {
                socket.segment(&mut world, true, seq.wrapping_add(begin as u32), &request[begin..end]);
            }
            seq = seq.wrapping_add(request.len() as u32);
            socket.answer(&mut world, &answer);
            expected.push((Some(status), ExchangeEnd::Complete, request.len() as u64, answer.len() as u64));
        }
        let seen: Vec<_> = world
            .exchanges()
            .iter()
            .map(|seen| (seen.status, seen.end, seen.request_bytes, seen.response_bytes))
            .collect();
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(world.table.counters().payload_bytes_missed, 0);
    }
}
