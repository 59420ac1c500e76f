//! A connection seen at one socket: bytes in, the kernel's events out, by the kernel's own rules.

use std::net::Ipv4Addr;

use observer_ebpf::{
    http::{Direction, HeadEnd, Place, Start, scan_bytes},
    wire::{Body, Call, Event, Header, Kind, Open, Segment, SegmentFlags, State, Tuple},
};

use crate::{
    flow::{FlowConfig, FlowTable, Output, Side},
    record::{Connection, Exchange},
};

/// A flow table and what it has emitted.
pub(super) struct World {
    pub(super) table: FlowTable,
    pub(super) out: Vec<Output>,
    pub(super) now_ns: u64,
    /// What is told right after the next end of a connection.
    pub(super) late_events: Vec<Event<'static>>,
}

/// One socket.
pub(super) struct Socket {
    pub(super) cookie: u64,
    side: Side,
    inbound: Half,
    outbound: Half,
    last: Option<bool>,
    read: u64,
    written: u64,
}

struct Half {
    seq: u32,
    direction: Direction,
}

impl World {
    pub(super) fn new(calls: bool) -> Self {
        let config = FlowConfig { calls, ..FlowConfig::default() };
        Self { table: FlowTable::new(config), out: Vec::new(), now_ns: 1_000, late_events: Vec::new() }
    }

    pub(super) fn push(&mut self, event: &Event<'_>) {
        self.table.push(event, &mut self.out);
    }

    fn tick_clock(&mut self) -> u64 {
        self.now_ns += 10;
        self.now_ns
    }

    pub(super) fn header(&mut self, kind: u32, flags: u32, cookie: u64) -> Header {
        Header { kind, flags, at_ns: self.tick_clock(), cookie }
    }

    /// An established connection.
    pub(super) fn open(&mut self, cookie: u64, side: Side) -> Socket {
        if side == Side::Client {
            self.connect(cookie, 0);
        }
        self.establish(cookie, side)
    }

    pub(super) fn connect(&mut self, cookie: u64, thread: u32) {
        let open =
            Open { header: self.header(Kind::CONNECT, 0, cookie), tuple: tuple(cookie), thread, ..Open::default() };
        self.push(&Event::Connect(open));
    }

    pub(super) fn establish(&mut self, cookie: u64, side: Side) -> Socket {
        let seq = 0xffff_fff0_u32.wrapping_add(cookie as u32);
        let open = Open {
            header: self.header(0, Open::HAS_SEQ, cookie),
            tuple: tuple(cookie),
            seq_in: seq,
            seq_out: seq,
            ..Open::default()
        };
        self.push(&match side {
            Side::Client => Event::EstablishedActive(open),
            Side::Server => Event::EstablishedPassive(open),
        });
        let half = || {
            let mut direction = Direction::default();
            direction.start(seq);
            Half { seq, direction }
        };
        Socket { cookie, side, inbound: half(), outbound: half(), last: None, read: 0, written: 0 }
    }

    pub(super) fn state(&mut self, cookie: u64, old: u32, new: u32, error: u32) {
        let header = self.header(Kind::STATE, State::HAS_ERROR, cookie);
        self.push(&Event::State(State { header, old, new, error, ..State::default() }));
        if new == State::CLOSE {
            self.late_events.drain(..).for_each(|event| self.table.push(&event, &mut self.out));
            self.now_ns += FlowConfig::default().linger_ns;
            self.table.tick(self.now_ns, &mut self.out);
        }
    }

    /// Both FINs, this side's first.
    pub(super) fn close(&mut self, socket: &Socket) {
        self.state(socket.cookie, State::ESTABLISHED, State::FIN_WAIT1, 0);
        self.state(socket.cookie, 5, State::CLOSE, 0);
    }

    /// Both FINs, the other side's first.
    pub(super) fn closed_by_peer(&mut self, socket: &Socket) {
        self.state(socket.cookie, State::ESTABLISHED, State::CLOSE_WAIT, 0);
        self.state(socket.cookie, State::CLOSE_WAIT, State::LAST_ACK, 0);
        self.state(socket.cookie, State::LAST_ACK, State::CLOSE, 0);
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        let exchanges = self.out.iter().filter_map(|output| match output {
            Output::Exchange(seen) => Some(seen.record.clone()),
            Output::Connection(_) => None,
        });
        exchanges.collect()
    }

    pub(super) fn connections(&self) -> Vec<Connection> {
        let connections = self.out.iter().filter_map(|output| match output {
            Output::Connection(seen) => Some(seen.record.clone()),
            Output::Exchange(_) => None,
        });
        connections.collect()
    }
}

impl Socket {
    /// A request's bytes, as one segment.
    pub(super) fn request(&mut self, world: &mut World, bytes: &[u8]) {
        self.pass(world, self.side == Side::Server, bytes);
    }

    /// An answer's bytes, as one segment.
    pub(super) fn answer(&mut self, world: &mut World, bytes: &[u8]) {
        self.pass(world, self.side == Side::Client, bytes);
    }

    /// The next segment of a direction.
    pub(super) fn pass(&mut self, world: &mut World, inbound: bool, bytes: &[u8]) {
        let half = if inbound { &mut self.inbound } else { &mut self.outbound };
        let seq = half.seq;
        half.seq = seq.wrapping_add(bytes.len() as u32);
        self.segment(world, inbound, seq, bytes);
    }

    /// A segment anywhere in the stream, told as the kernel tells it.
    pub(super) fn segment(&mut self, world: &mut World, inbound: bool, seq: u32, bytes: &[u8]) {
        let start = |rest: &[u8]| {
            let mut word = [0; 8];
            let length = rest.len().min(8);
            word[..length].copy_from_slice(&rest[..length]);
            Start::of(u64::from_le_bytes(word), rest.len() as u32)
        };
        let turned = self.last != Some(inbound);
        let half = if inbound { &mut self.inbound } else { &mut self.outbound };
        let place = half.direction.place(seq, bytes.len() as u32, turned, start(bytes));
        if place.kind == Place::REPEATED {
            return;
        }
        self.last = Some(inbound);
        let mut flags = if inbound { SegmentFlags::INBOUND } else { 0 };
        if place.kind == Place::IN_ORDER {
            let last = &bytes[bytes.len().saturating_sub(8)..];
            let value = last.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
            if half.direction.ends_chunked(value, last.len() as u32) {
                flags |= SegmentFlags::LAST_CHUNK;
            }
        }
        let mut begin = place.skip as usize;
        let judged = start(&bytes[begin..]);
        if !half.direction.wants(judged, turned) {
            let header = world.header(Kind::BODY, flags, self.cookie);
            let body = Body {
                header,
                seq: seq.wrapping_add(begin as u32),
                length: (bytes.len() - begin) as u32,
                segments: 1,
                reserved: 0,
            };
            half.direction.segment_told();
            world.push(&Event::Body(body));
            return;
        }
        let begun = half.direction.begin_head();
        let ahead = place.kind != Place::IN_ORDER && begun;
        let mut head_end = if ahead { HeadEnd::new() } else { half.direction.head_end };
        while begin < bytes.len() {
            let rest = &bytes[begin..];
            let head = scan_bytes(&mut head_end, rest) as usize;
            let (told, captured) = match head {
                0 => (rest.len(), rest.len()),
                head if start(&rest[head..]) >= Start::REQUEST => (head, head),
                head => (rest.len(), head),
            };
            let done = begin + told == bytes.len();
            let piece_flags = if done { flags } else { flags & !SegmentFlags::LAST_CHUNK };
            let header = world.header(Kind::SEGMENT, piece_flags, self.cookie);
            let segment = Segment {
                header,
                tuple: tuple(self.cookie),
                seq: seq.wrapping_add(begin as u32),
                length: told as u32,
                captured: captured as u32,
                ..Segment::default()
            };
            world.push(&Event::Segment(segment, &rest[..captured]));
            if !ahead {
                half.direction.head_end = head_end;
            }
            half.direction.told(place.kind, told as u32, begun, head != 0);
            if head != 0 {
                head_end = HeadEnd::new();
            }
            begin += told;
        }
        half.direction.segment_told();
    }

    /// A thread reads.
    pub(super) fn recv(&mut self, world: &mut World, thread: u32, moved: i32) {
        let header = world.header(Kind::RECV, 0, self.cookie);
        let call = Call { header, offset: self.read, moved, thread, process: thread, reserved: 0 };
        self.read += u64::from(moved.unsigned_abs());
        world.push(&Event::Recv(call));
    }

    /// A thread writes.
    pub(super) fn send(&mut self, world: &mut World, thread: u32, moved: i32) {
        let header = world.header(Kind::SEND, 0, self.cookie);
        let call = Call { header, offset: self.written, moved, thread, process: thread, reserved: 0 };
        self.written += u64::from(moved.unsigned_abs());
        world.push(&Event::Send(call));
    }

    /// A thread closes.
    pub(super) fn release(&self, world: &mut World, thread: u32) {
        release(world, self.cookie, thread);
    }
}

pub(super) fn release(world: &mut World, cookie: u64, thread: u32) {
    let header = world.header(Kind::RELEASE, 0, cookie);
    world.push(&Event::Release(Call { header, thread, process: thread, ..Call::default() }));
}

pub(super) fn tuple(cookie: u64) -> Tuple {
    Tuple {
        local: Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets(),
        remote: Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets(),
        local_port: 30_000 + cookie as u16,
        remote_port: 80,
        reserved: 0,
    }
}
