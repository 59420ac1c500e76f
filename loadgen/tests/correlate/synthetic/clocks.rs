//! From our clock to the node's.

use observer::record::{Connection, Exchange, Nat, Pressure, Record, SocketCall, Throttling, Translation};

use super::NODE_AHEAD_NS;

/// Puts a record on the node's clock.
pub fn on_node(record: Record) -> Record {
    shifted(record, NODE_AHEAD_NS)
}

/// Puts a record on a clock that is ahead by that much.
pub fn shifted(record: Record, by_ns: i64) -> Record {
    match record {
        Record::Connection(conn) => Record::Connection(connection(conn, by_ns)),
        Record::Exchange(it) => Record::Exchange(exchange(it, by_ns)),
        Record::Translation(translation) => {
            Record::Translation(Translation { nat: nat(translation.nat, by_ns), ..translation })
        }
        Record::Throttling(it) => {
            let ns = |at: u64| at.checked_add_signed(by_ns).unwrap();
            Record::Throttling(Throttling { from_ns: ns(it.from_ns), to_ns: ns(it.to_ns), ..it })
        }
        Record::Pressure(it) => {
            let ns = |at: u64| at.checked_add_signed(by_ns).unwrap();
            Record::Pressure(Pressure { from_ns: ns(it.from_ns), to_ns: ns(it.to_ns), ..it })
        }
    }
}

fn nat(nat: Nat, by_ns: i64) -> Nat {
    Nat { created_ns: nat.created_ns.checked_add_signed(by_ns).unwrap(), ..nat }
}

fn call(mut call: SocketCall, by_ns: i64) -> SocketCall {
    call.at_ns = call.at_ns.checked_add_signed(by_ns).unwrap();
    call
}

fn connection(conn: Connection, by_ns: i64) -> Connection {
    let ns = |at: u64| at.checked_add_signed(by_ns).unwrap();
    Connection {
        opened_ns: ns(conn.opened_ns),
        established_ns: conn.established_ns.map(ns),
        closed_ns: conn.closed_ns.map(ns),
        reset_sent_ns: conn.reset_sent_ns.map(ns),
        reset_received_ns: conn.reset_received_ns.map(ns),
        nat: conn.nat.map(|it| nat(it, by_ns)),
        opened_after: conn.opened_after.map(|it| call(it, by_ns)),
        ..conn
    }
}

fn exchange(exchange: Exchange, by_ns: i64) -> Exchange {
    let ns = |at: u64| at.checked_add_signed(by_ns).unwrap();
    Exchange {
        request_start_ns: ns(exchange.request_start_ns),
        request_end_ns: exchange.request_end_ns.map(ns),
        request_read_ns: exchange.request_read_ns.map(ns),
        response_start_ns: exchange.response_start_ns.map(ns),
        response_end_ns: exchange.response_end_ns.map(ns),
        response_read_ns: exchange.response_read_ns.map(ns),
        sent_after: exchange.sent_after.map(|it| call(it, by_ns)),
        ..exchange
    }
}
