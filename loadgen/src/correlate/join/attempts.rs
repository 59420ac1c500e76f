//! Exchange at the gateway ↔ its attempts at pods.

use observer::record::Hop;

use super::thread_order::{For, owner};
use super::{Attempt, Conflicts, Front, Input, time_window};
use crate::correlate::seen::{Conn, Exch};
use crate::raw::compact::Maybe;
use crate::report::schema::JoinedBy;

/// What was found.
pub struct Found {
    pub attempts: Vec<Attempt>,
    pub unjoined: u64,
    pub foreign: u64,
}

/// Joins every attempt of a gateway: those with data by trace id, the others by thread order, what is left by time.
pub fn join(input: &Input<'_, '_>, fronts: &[Front], conflicts: &mut Conflicts) -> Found {
    let mut found = Found { attempts: Vec::with_capacity(input.client.len()), unjoined: 0, foreign: 0 };
    let mut unresolved = Vec::new();
    for (at, exchange) in (0..).zip(input.seen.exchanges()).filter(|(_, e)| e.hop == Hop::Upstream) {
        with_data(input, at, exchange, &mut found, conflicts);
    }
    for (at, conn) in (0..).zip(input.seen.conns()).filter(|(_, c)| c.hop == Hop::Upstream) {
        // Without records of its exchanges a connection that had some tells nothing: those records were lost, and
        // that is counted where they were lost.
        if conn.exchanges() > 0 || conn.not_http() || !input.seen.on_conn(conn.id).is_empty() {
            continue;
        }
        let by_thread = conn.opened_after().and_then(|call| owner(input, &call));
        match by_thread {
            Some(For::Request(request)) if within(input, &fronts[request as usize], conn) => {
                found.attempts.push(without_data(request, at, conn, JoinedBy::ThreadOrder));
            }
            Some(For::Request(request)) => {
                conflicts.add(|| {
                    let seq = input.client.at(request).seq;
                    format!(
                        "the attempt from {} follows request {seq} in its thread, but lies outside of it in time",
                        conn.local()
                    )
                });
                found.unjoined += 1;
            }
            Some(For::Stranger) => found.foreign += 1,
            None => unresolved.push(at),
        }
    }
    time_window::join(input, fronts, unresolved, &mut found);
    found
}

/// An attempt that carried data. Its trace id says whose it is, and the thread order must say the same.
fn with_data(input: &Input<'_, '_>, at: u32, exchange: Exch<'_>, found: &mut Found, conflicts: &mut Conflicts) {
    let conn_at = input.seen.conn_position(exchange.conn_id);
    let conn = conn_at.map(|at| input.seen.conn(at));
    let reused = exchange.reused() || exchange.index() > 0;
    let call = if reused { exchange.sent_after() } else { conn.and_then(Conn::opened_after) };
    let by_thread = call.and_then(|call| owner(input, &call));
    let (request, joined_by) = match (exchange.request(), by_thread) {
        (Some(by_trace), Some(For::Request(by_thread))) if by_trace != by_thread => {
            conflicts.add(|| {
                format!(
                    "the attempt from {} carries the trace id of request {}, but follows request {} in its thread",
                    exchange.local(),
                    input.client.at(by_trace).seq,
                    input.client.at(by_thread).seq
                )
            });
            (by_trace, JoinedBy::Trace)
        }
        (Some(by_trace), _) => (by_trace, JoinedBy::Trace),
        // Another trace id: somebody else's request, whatever was read before.
        (None, _) if exchange.has_trace() => return found.foreign += 1,
        (None, Some(For::Request(by_thread))) => (by_thread, JoinedBy::ThreadOrder),
        (None, Some(For::Stranger)) => return found.foreign += 1,
        (None, None) => {
            found.unjoined += u64::from(in_run(input, exchange.request_start_ns()));
            return;
        }
    };
    let start_ns = match conn {
        Some(conn) if !reused => conn.opened_ns(),
        _ => exchange.request_start_ns(),
    };
    found.attempts.push(Attempt {
        request,
        conn: conn_at.into(),
        exchange: Maybe::some(at),
        pod_exchange: Maybe::NONE,
        pod_conn: Maybe::NONE,
        pod: None,
        joined_by,
        start_ns,
    });
}

/// An attempt that carried nothing.
pub fn without_data(request: u32, at: u32, conn: Conn<'_>, joined_by: JoinedBy) -> Attempt {
    Attempt {
        request,
        conn: Maybe::some(at),
        exchange: Maybe::NONE,
        pod_exchange: Maybe::NONE,
        pod_conn: Maybe::NONE,
        pod: None,
        joined_by,
        start_ns: conn.opened_ns(),
    }
}

/// The attempt was made while the gateway had that request.
pub fn within(input: &Input<'_, '_>, front: &Front, conn: Conn<'_>) -> bool {
    let Some(exchange) = front.exchange.get().map(|at| input.seen.exchange(at)) else { return false };
    // One node, one clock: no slack is needed.
    exchange.node == conn.node
        && exchange.request_start_node_ns() <= conn.opened_node_ns()
        && exchange.response_end_node_ns().is_none_or(|end_ns| conn.opened_node_ns() <= end_ns)
}

/// Between the first request due and the last one ended.
pub fn in_run(input: &Input<'_, '_>, at_ns: u64) -> bool {
    (input.run.started_ns..=input.run.ended_ns).contains(&at_ns)
}
