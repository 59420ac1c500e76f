//! Exchange at the gateway ↔ its attempts at pods.

use observer::record::Hop;

use super::thread_order::{For, owner};
use super::{Attempt, Conflicts, Front, Input, time_window};
use crate::correlate::seen::{Conn, Exch};
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
    for (at, exchange) in input.seen.exchanges.iter().enumerate().filter(|(_, e)| e.hop == Hop::Upstream) {
        with_data(input, at as u32, exchange, &mut found, conflicts);
    }
    for (at, conn) in input.seen.conns.iter().enumerate().filter(|(_, c)| c.hop == Hop::Upstream) {
        // Without records of its exchanges a connection that had some tells nothing: those records were lost, and
        // that is counted where they were lost.
        if conn.raw.exchanges > 0 || conn.raw.not_http || !input.seen.on_conn(conn.id).is_empty() {
            continue;
        }
        let by_thread = conn.raw.opened_after.as_ref().and_then(|call| owner(input, conn.node, call));
        match by_thread {
            Some(For::Request(request)) if within(input, &fronts[request as usize], conn) => {
                found.attempts.push(without_data(request, at as u32, conn, JoinedBy::ThreadOrder));
            }
            Some(For::Request(request)) => {
                conflicts.add(|| {
                    let seq = input.client[request as usize].seq;
                    format!(
                        "the attempt from {} follows request {seq} in its thread, but lies outside of it in time",
                        conn.raw.local
                    )
                });
                found.unjoined += 1;
            }
            Some(For::Stranger) => found.foreign += 1,
            None => unresolved.push(at as u32),
        }
    }
    time_window::join(input, fronts, unresolved, &mut found);
    found
}

/// An attempt that carried data. Its trace id says whose it is, and the thread order must say the same.
fn with_data(input: &Input<'_, '_>, at: u32, exchange: &Exch<'_>, found: &mut Found, conflicts: &mut Conflicts) {
    let conn_at = input.seen.conn_position(exchange.conn_id);
    let conn = conn_at.map(|at| &input.seen.conns[at as usize]);
    let reused = exchange.raw.reused || exchange.raw.index > 0;
    let call = if reused { exchange.raw.sent_after.as_ref() } else { conn.and_then(|c| c.raw.opened_after.as_ref()) };
    let by_thread = call.and_then(|call| owner(input, exchange.node, call));
    let (request, joined_by) = match (exchange.request, by_thread) {
        (Some(by_trace), Some(For::Request(by_thread))) if by_trace != by_thread => {
            conflicts.add(|| {
                format!(
                    "the attempt from {} carries the trace id of request {}, but follows request {} in its thread",
                    exchange.raw.local, input.client[by_trace as usize].seq, input.client[by_thread as usize].seq
                )
            });
            (by_trace, JoinedBy::Trace)
        }
        (Some(by_trace), _) => (by_trace, JoinedBy::Trace),
        // Another trace id: somebody else's request, whatever was read before.
        (None, _) if exchange.raw.trace_id.is_some() => return found.foreign += 1,
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
        conn: conn_at,
        exchange: Some(at),
        pod_exchange: None,
        pod_conn: None,
        pod: None,
        joined_by,
        start_ns,
    });
}

/// An attempt that carried nothing.
pub fn without_data(request: u32, at: u32, conn: &Conn<'_>, joined_by: JoinedBy) -> Attempt {
    Attempt {
        request,
        conn: Some(at),
        exchange: None,
        pod_exchange: None,
        pod_conn: None,
        pod: None,
        joined_by,
        start_ns: conn.opened_ns(),
    }
}

/// The attempt was made while the gateway had that request.
pub fn within(input: &Input<'_, '_>, front: &Front, conn: &Conn<'_>) -> bool {
    let Some(exchange) = front.exchange.map(|at| &input.seen.exchanges[at as usize]) else { return false };
    // One node, one clock: no slack is needed.
    exchange.node == conn.node
        && exchange.raw.request_start_ns <= conn.raw.opened_ns
        && exchange.raw.response_end_ns.is_none_or(|end_ns| conn.raw.opened_ns <= end_ns)
}

/// Between the first request due and the last one ended.
pub fn in_run(input: &Input<'_, '_>, at_ns: u64) -> bool {
    (input.run.started_ns..=input.run.ended_ns).contains(&at_ns)
}
