//! For whom did a thread dial, or write? The socket call directly before tells.
//!
//! An event-loop gateway reads a client's request and dials in one go: `recv(front) → connect(upstream)`. A retry follows
//! the end of the failed attempt: `recv(upstream, failed) → connect(upstream)`; then the failed attempt's own call is
//! followed back.

use observer::record::{ExchangeEnd, Hop, SocketCallKind};

use super::Input;
use crate::raw::compact::Call;

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
pub fn owner(input: &Input<'_, '_>, call: &Call) -> Option<For> {
    follow(input, call, LONGEST_CHAIN)
}

fn follow(input: &Input<'_, '_>, call: &Call, left: u8) -> Option<For> {
    let left = left.checked_sub(1)?;
    let conn = || input.seen.conn_position(call.conn).map(|at| input.seen.conn(at));
    let exchange = input.seen.exchange_of_call(call).map(|at| input.seen.exchange(at));
    match input.seen.hop_of_conn(call.conn)? {
        Hop::Front if call.kind == SocketCallKind::Recv => {
            if let Some(exchange) = exchange {
                return Some(exchange.request().map_or(For::Stranger, For::Request));
            }
            // Exchanges with a trace id of somebody else are not kept; only their connection tells of them.
            (conn()?.exchanges() > call.exchange.unwrap_or(0)).then_some(For::Stranger)
        }
        Hop::Upstream => {
            let conn = conn()?;
            match exchange {
                // The end of an answered attempt says nothing of what the thread did next.
                Some(exchange) if exchange.end() == ExchangeEnd::Complete => None,
                Some(exchange) if exchange.request().is_some() => exchange.request().map(For::Request),
                Some(exchange) if exchange.reused() => follow(input, &exchange.sent_after()?, left),
                None if conn.exchanges() > 0 || conn.is_pending() => None,
                _ => follow(input, &conn.opened_after()?, left),
            }
        }
        _ => None,
    }
}
