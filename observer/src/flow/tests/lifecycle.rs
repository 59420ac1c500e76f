//! How connections begin and end.

use observer_ebpf::wire::{Event, Kind, Open, Segment, SegmentFlags, State};

use super::simulator::{World, release, tuple};
use crate::{
    flow::{FlowConfig, FlowTable, Side},
    record::{Close, ExchangeEnd, Outcome},
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn failed_attempts() {
    for (reset, error, expected) in [
        (true, 111, Outcome::Refused),
        (false, 111, Outcome::Unreachable),
        (false, 113, Outcome::Unreachable),
        (false, 110, Outcome::Unanswered),
        (false, 0, Outcome::Unanswered),
    ] {
        let mut world = World::new(false);
        world.connect(1, 7);
        let header = world.header(Kind::RETRANSMIT, 0, 1);
        world.push(&Event::Retransmit(header));
        if reset {
            let header = world.header(Kind::RESET_RECEIVED, 0, 1);
            world.push(&Event::ResetReceived(header));
        }
        world.state(1, State::SYN_SENT, State::CLOSE, error);
        let record = &world.connections()[0];
        assert_eq!(record.outcome, expected, "reset {reset}, error {error}");
        assert_eq!((record.syn_retransmits, record.retransmits), (1, 0));
        assert_eq!((record.established_ns, record.close), (None, None));
        assert_eq!(record.thread, Some(7));
        assert!(record.closed_ns.is_some());
    }
}

#[test]
fn an_attempt_without_a_source_port_is_over_at_once() {
    let mut world = World::new(false);
    world.connect(1, 7);
    let header = world.header(Kind::UNDIALLED, 0, 2);
    let tuple = observer_ebpf::wire::Tuple { local_port: 0, ..tuple(2) };
    world.push(&Event::Undialled(Open { header, tuple, thread: 7, ..Open::default() }));
    // An end lets time pass.
    world.state(1, State::SYN_SENT, State::CLOSE, 0);
    let connections = world.connections();
    let record = connections.iter().find(|record| record.conn == 2).unwrap();
    assert_eq!(record.outcome, Outcome::NoSourcePort);
    assert_eq!((record.opened_ns, record.closed_ns), (header.at_ns, Some(header.at_ns)));
    // For whom it was told as for any other attempt.
    assert_eq!(record.opened_after.as_ref().map(|call| call.conn), Some(1));
}

#[test]
fn cut_in_flight() {
    for (inbound_reset, close) in [(true, Close::ResetRemote), (false, Close::ResetLocal)] {
        let mut world = World::new(false);
        let mut socket = world.open(1, Side::Client);
        socket.request(&mut world, GET);
        let header = world.header(0, 0, 1);
        world.push(&if inbound_reset { Event::ResetReceived(header) } else { Event::ResetSent(header) });
        world.state(1, State::ESTABLISHED, State::CLOSE, 104);
        assert_eq!(world.exchanges()[0].end, ExchangeEnd::Reset);
        assert_eq!(world.exchanges()[0].status, None);
        let record = &world.connections()[0];
        assert_eq!((record.outcome, record.close), (Outcome::Established, Some(close)));
        assert_eq!(record.reset_received_ns.is_some(), inbound_reset);
    }
}

#[test]
fn a_reset_that_is_told_after_the_end() {
    let mut world = World::new(false);
    let mut socket = world.open(1, Side::Server);
    socket.request(&mut world, GET);
    let header = world.header(0, 0, 1);
    world.late_events.push(Event::ResetSent(header));
    world.state(1, State::ESTABLISHED, State::CLOSE, 0);
    assert_eq!(world.exchanges()[0].end, ExchangeEnd::Reset);
    let record = &world.connections()[0];
    assert_eq!((record.close, record.reset_sent_ns), (Some(Close::ResetLocal), Some(header.at_ns)));
}

#[test]
fn an_error_that_the_owner_read_and_cleared() {
    let mut world = World::new(false);
    world.connect(1, 7);
    let header = world.header(Kind::ERROR, 0, 1);
    world.push(&Event::Error(header));
    world.state(1, State::SYN_SENT, State::CLOSE, 0);
    assert_eq!(world.connections()[0].outcome, Outcome::Unreachable);
}

#[test]
fn closed_before_the_answer() {
    let mut world = World::new(false);
    let mut socket = world.open(1, Side::Client);
    socket.request(&mut world, GET);
    world.state(1, State::ESTABLISHED, State::CLOSE_WAIT, 0);
    // Told at once, not when the process gets round to closing.
    assert_eq!(world.exchanges()[0].end, ExchangeEnd::Closed);
    assert!(world.connections().is_empty());
}

#[test]
fn timed_out_when_retransmissions_run_out() {
    let mut world = World::new(false);
    let mut socket = world.open(1, Side::Client);
    socket.request(&mut world, GET);
    world.state(1, State::ESTABLISHED, State::CLOSE, 110);
    assert_eq!(world.connections()[0].close, Some(Close::TimedOut));
}

#[test]
fn an_older_connection_is_marked_and_joined_at_the_next_message() {
    let mut world = World::new(false);
    let mut socket = world.establish(1, Side::Server);
    let mut world = World::new(false);
    let header = world.header(Kind::FOUND, 0, 1);
    world.push(&Event::Found(Open { header, tuple: tuple(1), ..Open::default() }));
    socket.answer(&mut world, b"the rest of a body");
    socket.request(&mut world, GET);
    socket.answer(&mut world, OK);
    world.close(&socket);
    let seen = world.exchanges();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].status, seen[0].end, seen[0].reused), (Some(200), ExchangeEnd::Complete, true));
    let record = &world.connections()[0];
    assert!(record.predates_observer);
    assert_eq!(record.outcome, Outcome::Established);
}

#[test]
fn data_before_the_socket_is_claimed_by_it() {
    let mut world = World::new(false);
    let seq = 0xffff_fff0_u32.wrapping_add(1);
    let header = world.header(Kind::SEGMENT, SegmentFlags::INBOUND | SegmentFlags::LISTENER, 999);
    let segment = Segment {
        header,
        tuple: tuple(1),
        seq,
        length: GET.len() as u32,
        captured: GET.len() as u32,
        ..Segment::default()
    };
    world.push(&Event::Segment(segment, GET));
    // The listener's queue was full: the sender repeats itself.
    world.push(&Event::Segment(segment, GET));
    let mut socket = world.establish(1, Side::Server);
    socket.answer(&mut world, OK);
    let seen = world.exchanges();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].conn, 1);
    assert_eq!(seen[0].request_start_ns, header.at_ns);
    assert_eq!(seen[0].end, ExchangeEnd::Complete);
}

#[test]
fn open_things_are_told_at_the_close_of_a_run() {
    let mut world = World::new(true);
    let mut socket = world.open(1, Side::Client);
    socket.request(&mut world, GET);
    socket.answer(&mut world, OK);
    socket.request(&mut world, GET);
    world.connect(2, 5);
    world.table.flush(&mut world.out);
    let ends: Vec<_> = world.exchanges().iter().map(|exchange| exchange.end).collect();
    assert_eq!(ends, [ExchangeEnd::Complete, ExchangeEnd::Open]);
    let mut outcomes: Vec<_> = world.connections().iter().map(|record| (record.conn, record.outcome)).collect();
    outcomes.sort_unstable_by_key(|(conn, _)| *conn);
    assert_eq!(outcomes, [(1, Outcome::Established), (2, Outcome::Pending)]);
}

#[test]
fn complete_exchanges_wait_for_their_calls_but_not_for_ever() {
    let mut world = World::new(true);
    let mut socket = world.open(1, Side::Client);
    socket.request(&mut world, GET);
    socket.answer(&mut world, OK);
    world.table.tick(world.now_ns + 1, &mut world.out);
    assert!(world.exchanges().is_empty());
    world.table.tick(world.now_ns + FlowConfig::default().settle_ns + 1, &mut world.out);
    assert_eq!(world.exchanges().len(), 1);
    assert_eq!(world.exchanges()[0].response_read_ns, None);
}

#[test]
fn bounded_with_the_loss_counted() {
    let mut world = World::new(false);
    world.table = FlowTable::new(FlowConfig { max_connections: 64, calls: false, ..FlowConfig::default() });
    for cookie in 1..=200 {
        world.open(cookie, Side::Server);
    }
    assert!(world.table.open_connections() <= 64);
    let counters = world.table.counters();
    assert_eq!(counters.connections_evicted as usize + world.table.open_connections(), 200);
    assert_eq!(world.connections().len() as u64, counters.connections_evicted);
    world.table.tick(world.now_ns + FlowConfig::default().idle_ns + 1, &mut world.out);
    assert_eq!(world.table.open_connections(), 0);
    assert_eq!(world.connections().len(), 200);
}

/// A kernel that runs no program where a timer interrupts: what is left is the owner's `close()`.
#[test]
fn an_attempt_whose_end_was_not_told_is_over_when_its_owner_closes_it() {
    let mut world = World::new(true);
    world.connect(1, 7);
    release(&mut world, 1, 7);
    let released_ns = world.now_ns;
    world.table.flush(&mut world.out);
    assert_eq!(world.connections()[0].closed_ns, None, "its end may be told yet");
    world.table.tick(released_ns + FlowConfig::default().linger_ns, &mut world.out);
    let record = world.connections().pop().unwrap();
    assert_eq!((record.outcome, record.closed_ns), (Outcome::Pending, Some(released_ns)));
    assert_eq!((world.table.open_connections(), world.table.counters().ends_untold), (0, 1));
}

#[test]
fn a_connection_that_is_established_while_it_is_closed_is_followed() {
    let mut world = World::new(true);
    world.connect(1, 7);
    release(&mut world, 1, 7);
    world.establish(1, Side::Client);
    world.table.tick(world.now_ns + FlowConfig::default().linger_ns, &mut world.out);
    assert_eq!((world.table.open_connections(), world.table.counters().ends_untold), (1, 0));
}

/// An attempt ends within two minutes, answered or not; one that is still there after ten has ended untold.
#[test]
fn an_attempt_without_an_end_is_a_loss() {
    let mut world = World::new(false);
    world.connect(1, 7);
    world.open(2, Side::Client);
    world.table.tick(world.now_ns + FlowConfig::default().idle_ns + 1, &mut world.out);
    let counters = world.table.counters();
    assert_eq!((counters.connections_expired, counters.ends_missed), (2, 1));
    assert_eq!(counters.lost()["ends_missed"], 1);
}
