//! Two programs at one tracepoint: each event is told once, whichever of the two the kernel runs.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use observer::{
    flow::Side,
    record::{Close, Connection, Outcome},
};

use crate::{
    attempts::{address, rule},
    endings::reset_on_close,
    observed::{Observed, in_own_network, observe_without},
    servers::{GET, connect, read_until, serve_one},
};

const FIRST: &[&str] = &["pw_set_state", "pw_send_reset", "pw_receive_reset", "pw_error"];
/// The callback is the first for retransmissions, and cannot be left out.
const SECOND: &[&str] = &["pw_set_state_2", "pw_send_reset_2", "pw_receive_reset_2", "pw_error_2", "pw_retransmit"];

/// What these programs tell of a connection.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    outcome: Outcome,
    close: Option<Close>,
    syn_retransmits: u32,
    reset_sent: bool,
    reset_received: bool,
    closed: bool,
}

fn told(observed: &Observed) -> Vec<Told> {
    let of = |connection: Connection| Told {
        outcome: connection.outcome,
        close: connection.close,
        syn_retransmits: connection.syn_retransmits,
        reset_sent: connection.reset_sent_ns.is_some(),
        reset_received: connection.reset_received_ns.is_some(),
        closed: connection.closed_ns.is_some(),
    };
    [Side::Client, Side::Server].into_iter().flat_map(|side| observed.connections(side)).map(of).collect()
}

/// A refused connection, one whose first SYN is lost, one that a firewall rejects, and one that is reset: what is told of them, and how
/// much of it the second programs told.
fn endings(leave_out: &'static [&'static str]) -> Option<(Vec<Told>, u64)> {
    let mut observed = observe_without(leave_out)?;
    let mut all = Vec::new();
    let address = address();
    observed.watch(address);
    in_own_network(|| {
        TcpStream::connect(address).unwrap_err();
        let listener = TcpListener::bind(address).unwrap();
        rule(address, "numgen inc mod 2 0 drop");
        let client = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        let server = listener.accept().unwrap();
        // Both sides' ends in a fixed order.
        drop(client);
        std::thread::sleep(Duration::from_millis(50));
        drop(server);
        rule(address, "reject");
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap_err();
    });
    observed.settle();
    all.append(&mut told(&observed));

    let (address, server) = serve_one(|mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        reset_on_close(&stream);
    });
    observed.out.clear();
    observed.watch(address);
    let mut client = connect(address);
    client.write_all(GET).unwrap();
    client.read(&mut [0; 10]).unwrap_err();
    server.join().unwrap();
    observed.settle();
    all.append(&mut told(&observed));
    let of_second = observed.kernel.counters().seen["told_by_second_program"];
    Some((all, of_second))
}

#[test]
fn an_event_is_told_once_by_whichever_program_runs() {
    let Some((with_both, _)) = endings(&[]) else { return };
    let (with_second, by_second) = endings(FIRST).unwrap();
    let (with_first, by_none) = endings(SECOND).unwrap();
    assert_eq!(with_both.len(), 6, "{with_both:?}");
    assert_eq!(with_both, with_second);
    assert_eq!(with_both, with_first);
    // Six sockets come to an end, and there are three resets or errors.
    assert!(by_second >= 9, "{by_second}");
    assert_eq!(by_none, 0);
}
