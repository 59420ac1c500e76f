//! For whom did a thread dial, or write? The socket call directly before tells.
//!
//! An event-loop gateway reads a client's request and dials in one go: `recv(front) → connect(upstream)`. A retry follows
//! the end of the failed attempt: `recv(upstream, failed) → connect(upstream)`; then the failed attempt's own call is
//! followed back.

use observer::record::{ExchangeEnd, Hop, Outcome, SocketCall, SocketCallKind};

use super::Input;

/// Whose request a call was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A request of this run.
    Request(u32),
    /// A request that is not of this run.
    Stranger,
}

/// Attempts that a gateway makes for one request; more than this is no chain of retries but a loop in our data.
const LONGEST_CHAIN: u8 = 16;

/// Follows `call` to a read on a client's connection. `None`: the order does not tell.
pub fn owner(input: &Input<'_, '_>, node: u16, call: &SocketCall) -> Option<For> {
    follow(input, node, call, LONGEST_CHAIN)
}

fn follow(input: &Input<'_, '_>, node: u16, call: &SocketCall, left: u8) -> Option<For> {
    let left = left.checked_sub(1)?;
    let id = input.seen.conn_id_of_call(node, call)?;
    let exchange = input.seen.exchange_of_call(node, call).map(|at| &input.seen.exchanges[at as usize]);
    match input.seen.hop_of_conn(id)? {
        Hop::Front if call.kind == SocketCallKind::Recv => {
            if let Some(exchange) = exchange {
                return Some(exchange.request.map_or(For::Stranger, For::Request));
            }
            // Exchanges with a trace id of somebody else are not kept; only their connection tells of them.
            let conn = input.seen.conn_position(id).map(|at| &input.seen.conns[at as usize])?;
            (conn.raw.exchanges > call.exchange.unwrap_or(0)).then_some(For::Stranger)
        }
        Hop::Upstream => {
            let conn = input.seen.conn_position(id).map(|at| &input.seen.conns[at as usize])?;
            match exchange {
                // The end of an answered attempt says nothing of what the thread did next.
                Some(exchange) if exchange.raw.end == ExchangeEnd::Complete => None,
                Some(exchange) if exchange.request.is_some() => exchange.request.map(For::Request),
                Some(exchange) if exchange.raw.reused => follow(input, node, exchange.raw.sent_after.as_ref()?, left),
                None if conn.raw.exchanges > 0 || conn.raw.outcome == Outcome::Pending => None,
                _ => follow(input, node, conn.raw.opened_after.as_ref()?, left),
            }
        }
        _ => None,
    }
}
