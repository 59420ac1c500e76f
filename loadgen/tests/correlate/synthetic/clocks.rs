//! From our clock to the node's.

use observer::record::{Connection, Exchange, Nat, Record, SocketCall, Translation};

use super::NODE_AHEAD_NS;

/// Puts a record on the node's clock.
pub fn on_node(record: Record) -> Record {
    match record {
        Record::Connection(conn) => Record::Connection(connection(conn)),
        Record::Exchange(exchange) => Record::Exchange(self::exchange(exchange)),
        Record::Translation(translation) => {
            Record::Translation(Translation { nat: nat(translation.nat), ..translation })
        }
    }
}

fn ns(ours: u64) -> u64 {
    ours.checked_add_signed(NODE_AHEAD_NS).unwrap()
}

fn nat(nat: Nat) -> Nat {
    Nat { created_ns: ns(nat.created_ns), ..nat }
}

fn call(mut call: SocketCall) -> SocketCall {
    call.at_ns = ns(call.at_ns);
    call
}

fn connection(conn: Connection) -> Connection {
    Connection {
        opened_ns: ns(conn.opened_ns),
        established_ns: conn.established_ns.map(ns),
        closed_ns: conn.closed_ns.map(ns),
        reset_sent_ns: conn.reset_sent_ns.map(ns),
        reset_received_ns: conn.reset_received_ns.map(ns),
        nat: conn.nat.map(nat),
        opened_after: conn.opened_after.map(call),
        ..conn
    }
}

fn exchange(exchange: Exchange) -> Exchange {
    Exchange {
        request_start_ns: ns(exchange.request_start_ns),
        request_end_ns: exchange.request_end_ns.map(ns),
        request_read_ns: exchange.request_read_ns.map(ns),
        response_start_ns: exchange.response_start_ns.map(ns),
        response_end_ns: exchange.response_end_ns.map(ns),
        response_read_ns: exchange.response_read_ns.map(ns),
        sent_after: exchange.sent_after.map(call),
        ..exchange
    }
}
