//! Client's request ↔ exchange at the gateway: by trace id, checked and completed by the translated address.

use std::cell::LazyCell;
use std::collections::HashMap;

use observer::record::Hop;

use super::translations::Translations;
use super::{Conflicts, Front, Input};
use crate::correlate::limits::CONNTRACK_LAG_NS;
use crate::correlate::seen::{Trans, Tuple};
use crate::raw::Request;
use crate::raw::compact::Maybe;
use crate::report::schema::JoinedBy;

/// Finds each request at the gateway, as far as the trace id or a known client address leads there.
pub fn join(input: &Input<'_, '_>, conflicts: &mut Conflicts) -> Vec<Front> {
    let seen = input.seen;
    let by_client = Translations::new(seen, Trans::as_dialled);
    // Only where that does not lead there.
    let by_seen_tuple = LazyCell::new(|| Translations::new(seen, Trans::as_seen));
    let conns_by_tuple = front_conns(input);
    let mut fronts = Vec::with_capacity(input.client.len());
    for (position, request) in (0..).zip(input.client.iter()) {
        let own = request.addresses().and_then(|tuple| seen.tuple_of(tuple));
        let named = seen.of_request(Hop::Front, position);
        if named.len() > 1 {
            conflicts
                .add(|| format!("request {}: its trace id was seen {} times at the gateway", request.seq, named.len()));
        }
        let mut front = Front::default();
        // The socket that the trace id leads to: its ends and when it was opened.
        let socket = named.first().map(|first| {
            let exchange = seen.exchange(*first);
            front.exchange = Maybe::some(*first);
            front.conn = seen.conn_position(exchange.conn_id).into();
            front.joined_by = Some(JoinedBy::Trace);
            let opened_ns = front.conn.get().map_or(exchange.request_start_ns(), |conn| seen.conn(conn).opened_ns());
            (exchange.inbound(), opened_ns)
        });
        // Where the client knows its own address, both ends of a translation are known: late events cannot mislead then.
        let by_both = own.zip(socket).and_then(|(own, (inbound, opened_ns))| {
            by_client.nearest(own, opened_ns, |translation| translation.as_seen() == inbound)
        });
        let (by_trace, by_address) = if by_both.is_some() {
            (by_both, by_both)
        } else {
            let made_by = |ns: u64| ns.saturating_add(CONNTRACK_LAG_NS);
            let by_trace = socket.and_then(|(inbound, opened_ns)| by_seen_tuple.latest(inbound, made_by(opened_ns)));
            // The same hop by address, where the client knows its own: through the translation to the gateway's socket.
            let ended_ns = made_by(request.end_ns.saturating_add(input.clock_error_ns));
            (by_trace, own.and_then(|own| by_client.latest(own, ended_ns)))
        };
        front.translation = by_trace.into();
        match (by_trace, by_address) {
            (Some(by_trace), Some(by_address)) if by_trace != by_address => conflicts.add(|| {
                let to = |at: u32| seen.translation(at).source_seen();
                format!(
                    "request {}: its trace id leads to the connection from {}, its own address to the one from {}",
                    request.seq,
                    to(by_trace),
                    to(by_address)
                )
            }),
            (None, Some(by_address)) if front.exchange.is_none() => {
                front.translation = Maybe::some(by_address);
                front.joined_by = Some(JoinedBy::Tuple);
                let conn = conns_by_tuple.get(&seen.translation(by_address).as_seen()).and_then(|conns| {
                    let opened = |at: &&u32| seen.conn(**at).opened_ns() <= request.end_ns;
                    conns.iter().rev().find(opened).copied()
                });
                front.conn = conn.into();
                front.exchange = conn.and_then(|conn| unnamed_exchange(input, conn, &request)).into();
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
    let socket = front.exchange.get().and_then(|at| input.seen.exchange(at).pod);
    let conn = || front.conn.get().and_then(|at| input.seen.conn(at).pod);
    let translation = || front.translation.get().map(|at| input.seen.translation(at));
    socket
        .or_else(conn)
        .or_else(|| translation()?.pod)
        .or_else(|| translation().and_then(|t| input.cluster.owner_of(t.chosen().ip(), t.created_ns())))
}

/// The only exchange without a readable trace id that this request can be.
fn unnamed_exchange(input: &Input<'_, '_>, conn: u32, request: &Request<'_>) -> Option<u32> {
    let slack = input.clock_error_ns;
    let span = request.sent_ns.saturating_sub(slack)..=request.end_ns.saturating_add(slack);
    let mut fitting = input.seen.on_conn(input.seen.conn(conn).id).iter().filter(|at| {
        let exchange = input.seen.exchange(**at);
        !exchange.has_trace() && span.contains(&exchange.request_start_ns())
    });
    let only = fitting.next()?;
    fitting.next().is_none().then_some(*only)
}

/// Connections at the gateway's sockets that carried something without a trace id: only these need an address to be found.
fn front_conns(input: &Input<'_, '_>) -> HashMap<Tuple, Vec<u32>> {
    let mut conns: HashMap<_, Vec<u32>> = HashMap::new();
    for (position, conn) in (0..).zip(input.seen.conns()).filter(|(_, conn)| conn.hop == Hop::Front) {
        let named = |at: &u32| input.seen.exchange(*at).request().is_some();
        let on_conn = input.seen.on_conn(conn.id);
        if on_conn.is_empty() || !on_conn.iter().all(named) {
            conns.entry(conn.inbound()).or_default().push(position);
        }
    }
    conns
}
