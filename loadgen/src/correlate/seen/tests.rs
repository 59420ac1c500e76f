//! Everything that a record says and a later step asks for comes back as it was given.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use observer::record::{
    Close, Connection, Exchange, ExchangeEnd, Hop, Nat, NatSource, Outcome, PodRef, Record, SocketCall, SocketCallKind,
    Translation,
};

use super::Seen;
use crate::correlate::clients::Clients;
use crate::correlate::clocks::Clocks;
use crate::correlate::cluster::{Cluster, PodAt};
use crate::raw::compact::Call;
use crate::raw::{Records, Requests};

const RUN_ID: &str = "00c0ffee00c0ffee";
const SECOND: u64 = 1_000_000_000;
const HOPS: [Hop; 4] = [Hop::Front, Hop::Upstream, Hop::Pod, Hop::Other];
const SOURCES: [NatSource; 4] = [NatSource::New, NatSource::Reused, NatSource::Dump, NatSource::Direct];
const KINDS: [SocketCallKind; 4] =
    [SocketCallKind::Recv, SocketCallKind::Send, SocketCallKind::Connect, SocketCallKind::Close];
const OUTCOMES: [Outcome; 5] =
    [Outcome::Established, Outcome::Refused, Outcome::Unanswered, Outcome::Unreachable, Outcome::Pending];
const CLOSES: [Option<Close>; 6] = [
    None,
    Some(Close::FinLocal),
    Some(Close::FinRemote),
    Some(Close::ResetLocal),
    Some(Close::ResetRemote),
    Some(Close::TimedOut),
];
const ENDS: [ExchangeEnd; 6] = [
    ExchangeEnd::Complete,
    ExchangeEnd::Reset,
    ExchangeEnd::Closed,
    ExchangeEnd::Open,
    ExchangeEnd::Upgraded,
    ExchangeEnd::Unparsed,
];
/// More than all combinations of two of the lists.
const COUNT: u64 = 240;

/// Different for each `n` and `salt`, and the same every time.
fn any(n: u64, salt: u64) -> u64 {
    (n * 64 + salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}

fn address(n: u64, salt: u64) -> SocketAddr {
    let port = any(n, salt) as u16;
    match any(n, salt + 32) % 3 {
        0 => SocketAddr::from(([10, 244, 0, any(n, salt) as u8 % 7], port)),
        1 => format!("[2001:db8::{:x}]:{port}", any(n, salt) % 5).parse().unwrap(),
        _ => format!("[fe80::1%{}]:{port}", any(n, salt) % 3).parse().unwrap(),
    }
}

/// None, or a time from long before to long after.
fn time(n: u64, salt: u64, start_ns: u64) -> Option<u64> {
    let far = [1, 1_000, SECOND / 3, 3 * SECOND, 100 * SECOND][any(n, salt + 16) as usize % 5];
    match any(n, salt) % 3 {
        0 => None,
        1 => Some(start_ns - any(n, salt) % far),
        _ => Some(start_ns + any(n, salt) % far),
    }
}

fn pod(n: u64, salt: u64) -> Option<PodRef> {
    let number = any(n, salt) % 6;
    let uid = format!("uid-{number}");
    (number > 0).then(|| PodRef { namespace: "lab".into(), name: format!("pod-{number}"), uid })
}

fn nat(n: u64, salt: u64, start_ns: u64) -> Nat {
    Nat {
        dialled: address(n, salt),
        chosen: address(n, salt + 1),
        source_seen: address(n, salt + 2),
        pod: pod(n, salt + 3),
        created_ns: time(n, salt + 4, start_ns).unwrap_or(start_ns),
        source: SOURCES[n as usize % 4],
        entries: 1,
        expired: None,
    }
}

fn call(n: u64, salt: u64, start_ns: u64) -> Option<SocketCall> {
    let exchange = Some(any(n, salt) as u32 % 9).filter(|exchange| *exchange > 0);
    let at_ns = time(n, salt + 1, start_ns)?;
    Some(SocketCall { kind: KINDS[n as usize / 3 % 4], conn: 5_000 + n / 2, exchange, at_ns })
}

fn start_ns(n: u64) -> u64 {
    1_000 * SECOND + n * 777
}

fn connection(n: u64) -> Connection {
    let opened_ns = start_ns(n);
    Connection {
        node: "n".into(),
        conn: 5_000 + n,
        hop: HOPS[n as usize % 4],
        local: address(n, 1),
        remote: address(n, 2),
        pod: pod(n, 3),
        pod_source: None,
        nat: (!n.is_multiple_of(3)).then(|| nat(n, 4, opened_ns)),
        opened_ns,
        established_ns: time(n, 9, opened_ns),
        closed_ns: time(n, 10, opened_ns),
        outcome: OUTCOMES[n as usize % 5],
        close: CLOSES[n as usize % 6],
        reset_sent_ns: time(n, 11, opened_ns).filter(|_| n.is_multiple_of(2)),
        reset_received_ns: time(n, 12, opened_ns).filter(|_| n.is_multiple_of(5)),
        syn_retransmits: any(n, 13) as u32 % 3,
        retransmits: if n.is_multiple_of(7) { u32::MAX } else { any(n, 14) as u32 % 2 },
        srtt_us: None,
        bytes_in: 1,
        bytes_out: 2,
        exchanges: any(n, 15) as u32,
        opened_after: call(n, 5, opened_ns),
        thread: (!n.is_multiple_of(4)).then(|| any(n, 6) as u32 >> 8),
        predates_observer: false,
        not_http: n.is_multiple_of(11),
    }
}

fn exchange(n: u64) -> Exchange {
    let start_ns = start_ns(n);
    let trace_ids = [None, Some(format!("{RUN_ID}{n:016x}")), Some("ff".repeat(16))];
    Exchange {
        node: "n".into(),
        conn: 5_000 + n,
        index: any(n, 20) as u32,
        hop: HOPS[n as usize % 4],
        local: address(n, 1),
        remote: address(n, 2),
        pod: pod(n, 3),
        pod_source: None,
        trace_id: trace_ids[n as usize % 3].clone(),
        method: "GET".into(),
        path: "/".into(),
        status: (!n.is_multiple_of(4)).then(|| any(n, 21) as u16 % 1_000),
        request_start_ns: start_ns,
        request_end_ns: time(n, 22, start_ns),
        request_read_ns: time(n, 23, start_ns),
        response_start_ns: time(n, 24, start_ns),
        response_end_ns: time(n, 25, start_ns),
        response_read_ns: None,
        request_bytes: 1,
        response_bytes: 2,
        end: ENDS[n as usize % 6],
        sent_after: call(n, 26, start_ns),
        thread: None,
        pipelined: false,
        reused: n.is_multiple_of(2),
    }
}

fn translation(n: u64) -> Translation {
    Translation {
        node: "n".into(),
        client: address(n, 30),
        nat: Nat { created_ns: start_ns(n), ..nat(n, 40, start_ns(n)) },
    }
}

fn name_of<'a>(cluster: &'a Cluster<'_>, pod: Option<PodAt>) -> Option<&'a str> {
    pod.map(|pod| cluster.pod(pod).uid)
}

fn uid_of(pod: Option<&PodRef>) -> Option<&str> {
    pod.map(|pod| pod.uid.as_str())
}

/// The call as it was given; the number of its socket is the one that an exchange on that connection has.
fn same_call(seen: &Seen<'_>, kept: Option<Call>, given: Option<&SocketCall>) {
    assert_eq!(kept.is_some(), given.is_some());
    let Some((kept, given)) = kept.zip(given) else { return };
    assert_eq!((kept.kind, kept.exchange, kept.at_ns), (given.kind, given.exchange, given.at_ns));
    assert_eq!(seen.exchange(given.conn as u32 - 5_000).conn_id, kept.conn);
}

#[test]
fn what_later_steps_ask_for_survives() {
    let mut records = Records::new(RUN_ID);
    let node = records.node("n");
    for n in (0..COUNT).rev() {
        records.push(node, &Record::Connection(connection(n)));
        records.push(node, &Record::Exchange(exchange(n)));
        records.push(node, &Record::Translation(translation(n)));
    }
    records.shrink();
    let requests = Requests::default();
    let client = Clients::of(&requests);
    let mut cluster = Cluster::default();
    let seen = Seen::index(&records, &client, &Clocks::default(), &mut cluster);
    assert_eq!((seen.conns().len(), seen.exchanges().len(), seen.translations().len()), (240, 240, 240));
    for (n, conn) in (0..).zip(seen.conns()) {
        let wire = connection(n);
        assert_eq!((conn.opened_ns(), conn.opened_node_ns(), conn.hop), (wire.opened_ns, wire.opened_ns, wire.hop));
        assert_eq!((conn.established_ns(), conn.closed_ns()), (wire.established_ns, wire.closed_ns));
        assert_eq!((conn.local(), conn.remote()), (wire.local, wire.remote));
        assert_eq!(name_of(&cluster, conn.pod), uid_of(wire.pod.as_ref()));
        assert_eq!((conn.outcome(), conn.close(), conn.not_http()), (wire.outcome, wire.close, wire.not_http));
        assert_eq!(conn.reset_received_ns(), wire.reset_received_ns);
        assert_eq!(conn.was_reset(), wire.reset_received_ns.or(wire.reset_sent_ns).is_some());
        assert_eq!((conn.syn_retransmits(), conn.retransmits()), (wire.syn_retransmits, wire.retransmits));
        assert_eq!((conn.exchanges(), conn.thread()), (wire.exchanges, wire.thread));
        let nat = wire.nat.as_ref();
        let kept = conn.nat().map(|nat| (nat.dialled, nat.chosen, nat.source_seen, nat.source));
        assert_eq!(kept, nat.map(|nat| (nat.dialled, nat.chosen, nat.source_seen, nat.source)));
        assert_eq!(
            (conn.nat_source(), conn.nat_created_ns()),
            (nat.map(|nat| nat.source), nat.map(|nat| nat.created_ns))
        );
        assert_eq!(name_of(&cluster, conn.nat_pod()), nat.and_then(|nat| uid_of(nat.pod.as_ref())));
        assert_eq!(conn.translated(), nat.and_then(|nat| seen.tuple_of((nat.source_seen, nat.chosen))));
        assert_eq!(Some(conn.inbound()), seen.tuple_of((wire.remote, wire.local)));
        assert_eq!(seen.conn_position(conn.id), Some(n as u32));
        same_call(&seen, conn.opened_after(), wire.opened_after.as_ref());
    }
    for (n, it) in (0..).zip(seen.exchanges()) {
        let wire = exchange(n);
        assert_eq!((it.request_start_ns(), it.hop, it.index()), (wire.request_start_ns, wire.hop, wire.index));
        assert_eq!((it.request_end_ns(), it.request_read_ns()), (wire.request_end_ns, wire.request_read_ns));
        assert_eq!((it.response_start_ns(), it.response_end_ns()), (wire.response_start_ns, wire.response_end_ns));
        assert_eq!((it.status(), it.end(), it.reused()), (wire.status, wire.end, wire.reused));
        assert_eq!((it.local(), it.remote(), it.has_trace()), (wire.local, wire.remote, wire.trace_id.is_some()));
        assert_eq!(name_of(&cluster, it.pod), uid_of(wire.pod.as_ref()));
        assert_eq!(seen.on_conn(it.conn_id), [n as u32]);
        same_call(&seen, it.sent_after(), wire.sent_after.as_ref());
    }
    for (n, it) in (0..).zip(seen.translations()) {
        let wire = translation(n);
        assert_eq!((it.created_ns(), it.source()), (wire.nat.created_ns, wire.nat.source));
        assert_eq!((it.chosen(), it.source_seen()), (wire.nat.chosen, wire.nat.source_seen));
        assert_eq!(name_of(&cluster, it.pod), uid_of(wire.nat.pod.as_ref()));
        assert_eq!(Some(it.as_dialled()), seen.tuple_of((wire.client, wire.nat.dialled)));
        assert_eq!(Some(it.as_seen()), seen.tuple_of((wire.nat.source_seen, wire.nat.chosen)));
    }
}
