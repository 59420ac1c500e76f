#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::nat::Tuple;
use crate::pods::PodState;
use crate::pods::topology::{ServiceName, ServicePort, ServiceState, SliceState};
use crate::record::{ExchangeEnd, Outcome};
use crate::runs::tests::exchange;

const MS: u64 = 1_000_000;
/// The connection of these tests is opened at this time.
const OPENED_NS: u64 = 10_000 * MS;
const CLIENT: &str = "10.244.0.5:40000";
const SERVICE: &str = "10.96.0.2:5000";
const BACKEND: &str = "10.244.0.7:5678";

fn service(name: &str) -> ServiceName {
    ServiceName::new("lab", name)
}

fn pod(name: &str, ip: &str) -> PodState {
    PodState {
        pod: PodRef { namespace: "lab".into(), name: name.into(), uid: format!("uid-{name}") },
        ips: vec![ip.parse().unwrap()],
        host_network: false,
        finished: false,
    }
}

/// Everything that is told about one refused attempt of the gateway, as separate pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    GatewayPod,
    BackendPod,
    Services,
    GatewaySlice,
    BackendSlice,
    Cgroups,
    Nat,
    Attempt,
}

const PIECES: [Piece; 8] = [
    Piece::GatewayPod,
    Piece::BackendPod,
    Piece::Services,
    Piece::GatewaySlice,
    Piece::BackendSlice,
    Piece::Cgroups,
    Piece::Nat,
    Piece::Attempt,
];

fn attempt() -> Seen<Connection> {
    Seen {
        record: Connection {
            node: String::new(),
            conn: 77,
            hop: Hop::Other,
            local: CLIENT.parse().unwrap(),
            remote: SERVICE.parse().unwrap(),
            pod: None,
            pod_source: None,
            nat: None,
            opened_ns: OPENED_NS,
            established_ns: None,
            closed_ns: Some(OPENED_NS + MS),
            outcome: Outcome::Refused,
            close: None,
            reset_sent_ns: None,
            reset_received_ns: Some(OPENED_NS + MS),
            syn_retransmits: 0,
            retransmits: 0,
            srtt_us: None,
            bytes_in: 0,
            bytes_out: 0,
            exchanges: 0,
            opened_after: None,
            thread: None,
            predates_observer: false,
            not_http: false,
        },
        side: Side::Client,
        cgroup_id: 42,
        netns: 0,
        probe: false,
    }
}

fn entry() -> Entry {
    let client = CLIENT.parse().unwrap();
    Entry {
        original: Tuple { src: client, dst: SERVICE.parse().unwrap() },
        reply: Tuple { src: BACKEND.parse().unwrap(), dst: client },
        id: Some(1),
    }
}

fn joiner() -> Joiner {
    let mut joiner = Joiner::new("node-1".into(), Topology::default());
    joiner.set_pods_watched(true);
    joiner.set_nat_read_until(Some(0));
    joiner
}

fn tell(joiner: &mut Joiner, piece: Piece, now_ns: u64) {
    let slice = |name: &str, port: u16, uid: &str| SliceState {
        service: service(name),
        ports: vec![port],
        pod_uids: vec![uid.into()],
    };
    match piece {
        Piece::GatewayPod => joiner.pods.apply(pod("gateway-1", "10.244.0.5"), now_ns),
        Piece::BackendPod => joiner.pods.apply(pod("echo-1", "10.244.0.7"), now_ns),
        Piece::Services => {
            let port = |port, node_port| vec![ServicePort { port, node_port }];
            let ip = |ip: &str| vec![ip.parse().unwrap()];
            let gateway = ServiceState { external: true, cluster_ips: ip("10.96.0.1"), ports: port(80, Some(30080)) };
            let echo = ServiceState { external: false, cluster_ips: ip("10.96.0.2"), ports: port(5000, None) };
            joiner.topology.apply_service(service("gateway"), gateway);
            joiner.topology.apply_service(service("echo"), echo);
        }
        Piece::GatewaySlice => joiner.topology.apply_slice("lab", "gateway-x", slice("gateway", 80, "uid-gateway-1")),
        Piece::BackendSlice => joiner.topology.apply_slice("lab", "echo-x", slice("echo", 5678, "uid-echo-1")),
        Piece::Cgroups => joiner.scanned(&HashMap::from([(42, Arc::from("uid-gateway-1"))]), now_ns, now_ns),
        Piece::Nat => joiner.learned(Learned::Made(entry(), now_ns), now_ns),
        Piece::Attempt => joiner.offer(Output::Connection(attempt()), false, now_ns),
    }
}

fn settle(joiner: &mut Joiner, now_ns: u64) -> Vec<Joined> {
    settle_read_until(joiner, now_ns, now_ns)
}

fn settle_read_until(joiner: &mut Joiner, now_ns: u64, nat_read_until_ns: u64) -> Vec<Joined> {
    let mut out = Vec::new();
    joiner.set_nat_read_until(Some(nat_read_until_ns));
    joiner.settle(now_ns, false, &mut |_| None, &mut out);
    out
}

fn connections(joined: Vec<Joined>) -> Vec<Connection> {
    let connection = |joined: Joined| match joined.record {
        Record::Connection(connection) => Some(connection),
        _ => None,
    };
    joined.into_iter().filter_map(connection).collect()
}

proptest! {
    /// The pieces come in any order, some before and some after the attempt, all within the time that we wait.
    #[test]
    fn the_join_does_not_depend_on_the_order(order in Just(PIECES.to_vec()).prop_shuffle(), gap_ms in 1_u64..150) {
        let mut joiner = joiner();
        let mut now_ns = OPENED_NS + MS;
        let mut out = Vec::new();
        let mut nat_read_until_ns = OPENED_NS;
        for piece in order {
            tell(&mut joiner, piece, now_ns);
            if piece == Piece::Nat {
                nat_read_until_ns = now_ns + 2 * NAT_SETTLE_NS;
            }
            out.extend(settle_read_until(&mut joiner, now_ns, nat_read_until_ns));
            now_ns += gap_ms * MS;
        }
        out.extend(settle(&mut joiner, OPENED_NS + 1_500 * MS));
        out.extend(settle(&mut joiner, OPENED_NS + 1_600 * MS));
        let connections = connections(out);
        prop_assert_eq!(connections.len(), 1);
        let it = &connections[0];
        prop_assert_eq!((it.hop, it.pod_source, it.node.as_str()), (Hop::Upstream, Some(PodSource::Cgroup), "node-1"));
        prop_assert_eq!(&it.pod.as_ref().unwrap().name, "gateway-1");
        let nat = it.nat.as_ref().unwrap();
        prop_assert_eq!((nat.source, nat.chosen, nat.dialled), (NatSource::New, BACKEND.parse().unwrap(), SERVICE.parse().unwrap()));
        prop_assert_eq!(&nat.pod.as_ref().unwrap().name, "echo-1");
        prop_assert_eq!(joiner.waiting(), 0);
    }
}

#[test]
fn what_never_comes_is_not_waited_for_forever() {
    let mut joiner = joiner();
    tell(&mut joiner, Piece::Attempt, OPENED_NS + MS);
    assert!(settle(&mut joiner, OPENED_NS + 1_000 * MS).is_empty());
    let joined = connections(settle(&mut joiner, OPENED_NS + MS + WAIT_MAX_NS));
    assert_eq!(joined.len(), 1);
    assert_eq!((joined[0].hop, &joined[0].pod, &joined[0].nat), (Hop::Other, &None, &None));
}

#[test]
fn without_watches_nothing_is_waited_for() {
    let mut joiner = Joiner::new("node-1".into(), Topology::default());
    joiner.scanned(&HashMap::new(), OPENED_NS + 2 * MS, OPENED_NS + 2 * MS);
    tell(&mut joiner, Piece::Attempt, OPENED_NS + 3 * MS);
    let mut out = Vec::new();
    joiner.settle(OPENED_NS + 3 * MS, false, &mut |_| None, &mut out);
    assert_eq!(connections(out).len(), 1);
}

#[test]
fn a_conntrack_reader_that_is_behind_is_waited_for() {
    let mut joiner = joiner();
    PIECES.iter().filter(|piece| **piece != Piece::Nat).for_each(|piece| tell(&mut joiner, *piece, OPENED_NS + MS));
    let out = settle_read_until(&mut joiner, OPENED_NS + 1_200 * MS, OPENED_NS + 100 * MS);
    assert!(out.is_empty(), "its event may be in the kernel's queue");
    tell(&mut joiner, Piece::Nat, OPENED_NS + 1_250 * MS);
    let joined = connections(settle(&mut joiner, OPENED_NS + 1_300 * MS));
    assert_eq!(joined[0].nat.as_ref().unwrap().source, NatSource::New);
}

#[test]
fn a_serving_pod_is_seen_and_a_pod_dialled_directly_needs_no_nat() {
    let mut joiner = joiner();
    PIECES.iter().take(6).for_each(|piece| tell(&mut joiner, *piece, OPENED_NS - 5_000 * MS));
    let mut direct = attempt();
    direct.record.remote = BACKEND.parse().unwrap();
    joiner.offer(Output::Connection(direct), false, OPENED_NS + MS);
    let Record::Exchange(base) = exchange(Hop::Other, None, OPENED_NS, Some(OPENED_NS + MS)) else { unreachable!() };
    let served = Exchange {
        local: BACKEND.parse().unwrap(),
        remote: CLIENT.parse().unwrap(),
        end: ExchangeEnd::Complete,
        ..base
    };
    let seen = Seen { record: served, side: Side::Server, cgroup_id: 0, netns: 0, probe: false };
    joiner.offer(Output::Exchange(seen), false, OPENED_NS + MS);
    let joined = settle(&mut joiner, OPENED_NS + 600 * MS);
    let Record::Exchange(at_pod) = &joined[0].record else { panic!("the exchange waits for nothing") };
    assert_eq!((at_pod.hop, at_pod.pod_source), (Hop::Pod, Some(PodSource::Address)));
    let direct = &connections(joined.clone())[0];
    assert_eq!((direct.hop, direct.nat.as_ref().unwrap().source), (Hop::Upstream, NatSource::Direct));
}

#[test]
fn a_client_of_the_gateway_is_told_by_its_translation() {
    let mut joiner = joiner();
    PIECES.iter().take(6).for_each(|piece| tell(&mut joiner, *piece, OPENED_NS));
    let entry = Entry {
        original: Tuple { src: "172.20.0.9:50000".parse().unwrap(), dst: "172.20.0.1:30080".parse().unwrap() },
        reply: Tuple { src: "10.244.0.5:80".parse().unwrap(), dst: "10.244.0.1:11902".parse().unwrap() },
        id: None,
    };
    joiner.learned(Learned::Made(entry, OPENED_NS), OPENED_NS);
    let joined = settle(&mut joiner, OPENED_NS);
    let Record::Translation(it) = &joined[0].record else { panic!("a translation") };
    assert_eq!(it.client, entry.original.src);
    assert_eq!(it.nat.pod.as_ref().unwrap().name, "gateway-1");
    assert_eq!(it.nat.source_seen, entry.reply.dst);
}

#[test]
fn the_kernel_is_asked_once_for_an_entry_of_which_no_event_came() {
    let mut joiner = joiner();
    PIECES.iter().filter(|piece| **piece != Piece::Nat).for_each(|piece| tell(&mut joiner, *piece, OPENED_NS + MS));
    let (mut asked, mut out) = (Vec::new(), Vec::new());
    for now_ms in [100, 600, 620, 640] {
        let now_ns = OPENED_NS + now_ms * MS;
        joiner.set_nat_read_until(Some(now_ns));
        let mut ask = |tuple: &Tuple| {
            asked.push(*tuple);
            Some(entry())
        };
        joiner.settle(now_ns, false, &mut ask, &mut out);
    }
    assert_eq!(asked, [entry().original], "not before its event is overdue, and once");
    let nat = connections(out)[0].nat.clone().unwrap();
    assert_eq!((nat.source, nat.chosen, nat.created_ns), (NatSource::New, BACKEND.parse().unwrap(), OPENED_NS));
    let missed: Vec<_> = joiner.tally.others().filter(|(name, _)| name == "conntrack_event_missed").collect();
    assert_eq!(missed, [("conntrack_event_missed".to_owned(), 1)]);
}

/// A node with few source ports left uses one every few milliseconds, and events are read in batches.
#[test]
fn connections_from_one_port_get_their_entries_in_order() {
    let mut joiner = joiner();
    PIECES.iter().take(6).for_each(|piece| tell(&mut joiner, *piece, OPENED_NS - 5_000 * MS));
    joiner.pods.apply(pod("echo-2", "10.244.0.8"), OPENED_NS - 5_000 * MS);
    let to = |backend: &str, id: u32| Entry {
        reply: Tuple { src: backend.parse().unwrap(), ..entry().reply },
        id: Some(id),
        ..entry()
    };
    let opened = |conn: u64, after_ms: u64| {
        let mut attempt = attempt();
        (attempt.record.conn, attempt.record.opened_ns) = (conn, OPENED_NS + after_ms * MS);
        Output::Connection(attempt)
    };
    // An older one, then two whose events are read in one go.
    joiner.learned(Learned::Made(to(BACKEND, 1), OPENED_NS + MS), OPENED_NS + MS);
    joiner.offer(opened(1, 0), false, OPENED_NS + 3 * MS);
    let read_ns = OPENED_NS + 45 * MS;
    joiner.offer(opened(2, 25), false, read_ns);
    joiner.offer(opened(3, 43), false, read_ns);
    joiner.learned(Learned::Destroyed(to(BACKEND, 1), read_ns), read_ns);
    joiner.learned(Learned::Made(to(BACKEND, 2), read_ns), read_ns);
    joiner.learned(Learned::Destroyed(to(BACKEND, 2), read_ns), read_ns);
    joiner.learned(Learned::Made(to("10.244.0.8:5678", 3), read_ns), read_ns);
    let mut out = Vec::new();
    // When the second is due, the reader is a little behind; the third is due before the second would be looked at again.
    for (now_ms, read_ms) in [(501, 501), (526, 524), (544, 544), (600, 600)] {
        out.extend(settle_read_until(&mut joiner, OPENED_NS + now_ms * MS, OPENED_NS + read_ms * MS));
    }
    let chosen: Vec<_> = connections(out)
        .into_iter()
        .map(|it| it.nat.map(|nat| (it.conn, nat.source, nat.chosen.to_string())).unwrap())
        .collect();
    let new = |conn, backend: &str| (conn, NatSource::New, backend.to_owned());
    assert_eq!(chosen, [new(1, BACKEND), new(2, BACKEND), new(3, "10.244.0.8:5678")]);
}

/// The SYN meets the end of an earlier connection from the same port, and is sent again within milliseconds.
#[test]
fn a_reset_within_the_handshake_means_that_the_syn_was_sent_again() {
    let mut joiner = joiner();
    PIECES.iter().take(6).for_each(|piece| tell(&mut joiner, *piece, OPENED_NS - 5_000 * MS));
    joiner.pods.apply(pod("echo-2", "10.244.0.8"), OPENED_NS - 5_000 * MS);
    let second =
        Entry { reply: Tuple { src: "10.244.0.8:5678".parse().unwrap(), ..entry().reply }, id: Some(2), ..entry() };
    joiner.learned(Learned::Made(entry(), OPENED_NS + 2 * MS), OPENED_NS + 2 * MS);
    joiner.learned(Learned::Destroyed(entry(), OPENED_NS + 2 * MS), OPENED_NS + 2 * MS);
    joiner.learned(Learned::Made(second, OPENED_NS + 16 * MS), OPENED_NS + 16 * MS);
    let mut attempt = attempt();
    attempt.record.reset_received_ns = None;
    attempt.record.reset_sent_ns = Some(OPENED_NS + 27_000);
    attempt.record.established_ns = Some(OPENED_NS + 14 * MS);
    attempt.record.outcome = Outcome::Established;
    joiner.offer(Output::Connection(attempt), false, OPENED_NS + 20 * MS);
    let nat = connections(settle(&mut joiner, OPENED_NS + 2_000 * MS))[0].nat.clone().unwrap();
    assert_eq!((nat.source, nat.entries, nat.chosen.to_string()), (NatSource::New, 2, "10.244.0.8:5678".to_owned()));
}
