//! For whom a thread dialled or sent.

use observer_ebpf::wire::{Event, Kind, State};

use super::simulator::{Socket, World, release};
use crate::{
    flow::Side,
    record::{Connection, Exchange, SocketCall, SocketCallKind},
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const NGINX: u32 = 42;

/// A request arrives at a gateway's front socket and is read.
fn front_request(world: &mut World, front: &mut Socket) {
    front.request(world, GET);
    front.recv(world, NGINX, GET.len() as i32);
}

fn connection(world: &World, cookie: u64) -> Connection {
    world.connections().into_iter().find(|record| record.conn == cookie).unwrap()
}

fn exchange(world: &World, cookie: u64, index: u32) -> Exchange {
    world.exchanges().into_iter().find(|record| (record.conn, record.index) == (cookie, index)).unwrap()
}

fn before(call: Option<&SocketCall>) -> (SocketCallKind, u64, Option<u32>) {
    let call = call.unwrap();
    (call.kind, call.conn, call.exchange)
}

fn refuse(world: &mut World, cookie: u64) {
    let header = world.header(Kind::RESET_RECEIVED, 0, cookie);
    world.push(&Event::ResetReceived(header));
    world.state(cookie, State::SYN_SENT, State::CLOSE, 111);
}

#[test]
fn a_refused_attempt_and_its_retry_lead_back_to_the_request() {
    let mut world = World::new(true);
    let mut first = world.open(1, Side::Server);
    let mut second = world.open(2, Side::Server);
    front_request(&mut world, &mut first);
    world.connect(11, NGINX);
    // Another request comes in between.
    front_request(&mut world, &mut second);
    world.connect(12, NGINX);
    refuse(&mut world, 11);
    release(&mut world, 11, NGINX);
    world.connect(13, NGINX);
    refuse(&mut world, 12);
    refuse(&mut world, 13);
    assert_eq!(before(connection(&world, 11).opened_after.as_ref()), (SocketCallKind::Recv, 1, Some(0)));
    assert_eq!(before(connection(&world, 12).opened_after.as_ref()), (SocketCallKind::Recv, 2, Some(0)));
    assert_eq!(before(connection(&world, 13).opened_after.as_ref()), (SocketCallKind::Close, 11, None));
}

#[test]
fn a_reused_connection_tells_for_whom_it_was_used() {
    let mut world = World::new(true);
    let mut front = world.open(1, Side::Server);
    let mut upstream = world.open(11, Side::Client);
    for _ in 0..2 {
        front_request(&mut world, &mut front);
        upstream.request(&mut world, GET);
        upstream.send(&mut world, NGINX, GET.len() as i32);
        upstream.answer(&mut world, OK);
        upstream.recv(&mut world, NGINX, OK.len() as i32);
        front.answer(&mut world, OK);
        front.send(&mut world, NGINX, OK.len() as i32);
    }
    assert_eq!(exchange(&world, 11, 0).sent_after, None, "opened_after tells for the first");
    let sent_after = exchange(&world, 11, 1).sent_after;
    assert_eq!(before(sent_after.as_ref()), (SocketCallKind::Recv, 1, Some(1)));
    for record in world.exchanges() {
        assert_eq!(record.thread, Some(NGINX));
        assert_eq!(record.request_read_ns.is_some(), record.conn == 1);
        assert_eq!(record.response_read_ns.is_some(), record.conn == 11);
    }
}

#[test]
fn a_dead_cached_connection_leads_on_to_its_replacement() {
    let mut world = World::new(true);
    let mut front = world.open(1, Side::Server);
    let mut cached = world.open(11, Side::Client);
    cached.request(&mut world, GET);
    cached.send(&mut world, NGINX, GET.len() as i32);
    cached.answer(&mut world, OK);
    cached.recv(&mut world, NGINX, OK.len() as i32);
    front_request(&mut world, &mut front);
    cached.request(&mut world, GET);
    cached.send(&mut world, NGINX, GET.len() as i32);
    let header = world.header(Kind::RESET_RECEIVED, 0, 11);
    world.push(&Event::ResetReceived(header));
    world.state(11, State::ESTABLISHED, State::CLOSE, 104);
    cached.release(&mut world, NGINX);
    world.connect(12, NGINX);
    refuse(&mut world, 12);
    assert_eq!(before(connection(&world, 12).opened_after.as_ref()), (SocketCallKind::Close, 11, Some(1)));
    assert_eq!(before(exchange(&world, 11, 1).sent_after.as_ref()), (SocketCallKind::Recv, 1, Some(0)));
}

#[test]
fn a_write_whose_segment_leaves_later_is_found_by_its_bytes() {
    let mut world = World::new(true);
    let mut upstream = world.open(11, Side::Client);
    // Corked: two requests are written before anything leaves.
    upstream.send(&mut world, 1, GET.len() as i32);
    upstream.send(&mut world, 2, GET.len() as i32);
    upstream.request(&mut world, &[GET, GET].concat());
    upstream.answer(&mut world, &[OK, OK].concat());
    upstream.answer(&mut world, OK);
    world.closed_by_peer(&upstream);
    assert_eq!(exchange(&world, 11, 0).thread, Some(1));
    assert_eq!(exchange(&world, 11, 1).thread, Some(2));
}

#[test]
fn a_head_read_in_parts_was_read_at_its_first_byte() {
    let mut world = World::new(true);
    let mut front = world.open(1, Side::Server);
    front.request(&mut world, &GET[..5]);
    front.recv(&mut world, NGINX, 5);
    let first_read_ns = world.now_ns;
    front.request(&mut world, &GET[5..]);
    front.recv(&mut world, NGINX, GET.len() as i32 - 5);
    front.answer(&mut world, OK);
    front.send(&mut world, NGINX, OK.len() as i32);
    assert_eq!(exchange(&world, 1, 0).request_read_ns, Some(first_read_ns));
}
