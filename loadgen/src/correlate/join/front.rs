//! Client's request ↔ exchange at the gateway: by trace id, checked and completed by the translated address.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use observer::record::{Hop, Translation};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{Conflicts, Front, Input};
use crate::correlate::limits::CONNTRACK_LAG_NS;
use crate::correlate::seen::Trans;
use crate::report::schema::JoinedBy;

/// Finds each request at the gateway, as far as the trace id or a known client address leads there.
pub fn join(input: &Input<'_, '_>, conflicts: &mut Conflicts) -> Vec<Front> {
    let seen = input.seen;
    let by_seen_tuple = Translations::new(&seen.translations, |t: &Translation| (t.nat.source_seen, t.nat.chosen));
    let by_client = Translations::new(&seen.translations, |t: &Translation| (t.client, t.nat.dialled));
    let conns_by_tuple = front_conns(input);
    let mut fronts = Vec::with_capacity(input.client.len());
    for (position, request) in input.client.iter().enumerate() {
        let mut front = Front::default();
        let named = seen.of_request(Hop::Front, position as u32);
        if let Some(first) = named.first() {
            let exchange = &seen.exchanges[*first as usize];
            front.exchange = Some(*first);
            front.conn = seen.conn_position(exchange.conn_id);
            front.joined_by = Some(JoinedBy::Trace);
            let opened_ns =
                front.conn.map_or(exchange.request_start_ns(), |conn| seen.conns[conn as usize].opened_ns());
            front.translation = by_seen_tuple
                .latest(&(exchange.raw.remote, exchange.raw.local), opened_ns.saturating_add(CONNTRACK_LAG_NS));
            if named.len() > 1 {
                conflicts.add(|| {
                    format!("request {}: its trace id was seen {} times at the gateway", request.seq, named.len())
                });
            }
        }
        // The same hop by address, where the client knows its own: through the translation to the gateway's socket.
        let by_address = request.local.zip(request.remote).and_then(|tuple| {
            by_client.latest(&tuple, request.end_ns.saturating_add(CONNTRACK_LAG_NS + input.clock_error_ns))
        });
        match (front.translation, by_address) {
            (Some(by_trace), Some(by_address)) if by_trace != by_address => conflicts.add(|| {
                let to = |at: u32| input.seen.translations[at as usize].raw.nat.source_seen;
                format!(
                    "request {}: its trace id leads to the connection from {}, its own address to the one from {}",
                    request.seq,
                    to(by_trace),
                    to(by_address)
                )
            }),
            (None, Some(by_address)) if front.exchange.is_none() => {
                front.translation = Some(by_address);
                front.joined_by = Some(JoinedBy::Tuple);
                let nat = &seen.translations[by_address as usize].raw.nat;
                front.conn = conns_by_tuple.get(&(nat.source_seen, nat.chosen)).and_then(|conns| {
                    let opened = |at: &&u32| seen.conns[**at as usize].opened_ns() <= request.end_ns;
                    conns.iter().rev().find(opened).copied()
                });
                front.exchange = front.conn.and_then(|conn| unnamed_exchange(input, conn, request));
            }
            _ => {}
        }
        front.pod = gateway_pod(input, &front);
        fronts.push(front);
    }
    fronts
}

/// The gateway pod: the owner of the socket, else the pod that the translation chose.
pub fn gateway_pod(input: &Input<'_, '_>, front: &Front) -> Option<u32> {
    let socket = front.exchange.and_then(|at| input.seen.exchanges[at as usize].pod);
    let conn = front.conn.and_then(|at| input.seen.conns[at as usize].pod);
    let translation = front.translation.map(|at| &input.seen.translations[at as usize]);
    socket
        .or(conn)
        .or(translation.and_then(|t| t.pod))
        .or_else(|| translation.and_then(|t| input.cluster.owner_of(t.raw.nat.chosen.ip(), t.created_ns())))
}

/// The only exchange without a readable trace id that this request can be.
fn unnamed_exchange(input: &Input<'_, '_>, conn: u32, request: &crate::raw::ClientRequest) -> Option<u32> {
    let slack = input.clock_error_ns;
    let span = request.sent_ns.saturating_sub(slack)..=request.end_ns.saturating_add(slack);
    let mut fitting = input.seen.on_conn(input.seen.conns[conn as usize].id).iter().filter(|at| {
        let exchange = &input.seen.exchanges[**at as usize];
        exchange.raw.trace_id.is_none() && span.contains(&exchange.request_start_ns())
    });
    let only = fitting.next()?;
    fitting.next().is_none().then_some(*only)
}

/// Connections at the gateway's sockets that carried something without a trace id: only these need an address to be found.
fn front_conns(input: &Input<'_, '_>) -> HashMap<(SocketAddr, SocketAddr), Vec<u32>> {
    let mut conns: HashMap<_, Vec<u32>> = HashMap::new();
    for (position, conn) in input.seen.conns.iter().enumerate().filter(|(_, conn)| conn.hop == Hop::Front) {
        let named = |at: &u32| input.seen.exchanges[*at as usize].request.is_some();
        let on_conn = input.seen.on_conn(conn.id);
        if on_conn.is_empty() || !on_conn.iter().all(named) {
            conns.entry((conn.raw.remote, conn.raw.local)).or_default().push(position as u32);
        }
    }
    conns
}

type Tuple = (SocketAddr, SocketAddr);

/// Translations by one of their tuples. Millions of lists of mostly one: kept as chains through one flat array, from the latest
/// back to the first.
struct Translations<'r, 'a, F> {
    all: &'r [Trans<'a>],
    tuple: F,
    /// The latest one for each hash of a tuple. Two tuples of one hash share a chain.
    latest: FxHashMap<u64, u32>,
    /// The one before it in its chain.
    before: Vec<Option<NonZeroU32>>,
}

impl<'r, 'a, F: Fn(&Translation) -> Tuple> Translations<'r, 'a, F> {
    fn new(all: &'r [Trans<'a>], tuple: F) -> Self {
        let mut latest = FxHashMap::with_capacity_and_hasher(all.len(), FxBuildHasher);
        let mut before = Vec::with_capacity(all.len());
        for (position, translation) in all.iter().enumerate() {
            let hash = FxBuildHasher.hash_one(tuple(translation.raw));
            let older: Option<u32> = latest.insert(hash, position as u32);
            // One more than the position, so that it takes four bytes.
            before.push(older.and_then(|older| NonZeroU32::new(older + 1)));
        }
        Self { all, tuple, latest, before }
    }

    /// The latest one made by then.
    fn latest(&self, tuple: &Tuple, by_ns: u64) -> Option<u32> {
        let mut at = self.latest.get(&FxBuildHasher.hash_one(tuple)).copied();
        while let Some(position) = at {
            let translation = &self.all[position as usize];
            if translation.created_ns() <= by_ns && (self.tuple)(translation.raw) == *tuple {
                break;
            }
            at = self.before[position as usize].map(|older| older.get() - 1);
        }
        at
    }
}
