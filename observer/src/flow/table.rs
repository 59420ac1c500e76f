//! The flow table.

use std::collections::{HashMap, VecDeque};

use observer_ebpf::wire::{Body, Call, Event, Header, Open, Segment, SegmentFlags, State, Tuple};

use super::{
    FlowConfig, FlowCounters, Output, Side,
    connection::{Conn, Context},
    listener::Listeners,
    payload::Payload,
    threads::Threads,
};
use crate::record::{SocketCall, SocketCallKind};

/// Connections that ended with an exchange unanswered, remembered for the `close()` that follows.
const MOST_ENDED: usize = 4096;
/// How often idle connections are looked for.
const IDLE_CHECK_NS: u64 = 10_000_000_000;

/// Turns the kernel's events into connections and exchanges.
#[derive(Debug)]
pub struct FlowTable {
    config: FlowConfig,
    counters: FlowCounters,
    conns: HashMap<u64, Conn>,
    threads: Threads,
    listeners: Listeners,
    /// Connections with an exchange that waits for its calls, by the time it is due.
    settling: VecDeque<(u64, u64)>,
    /// Connections that ended, by the time they are emitted.
    closing: VecDeque<(u64, u64)>,
    /// Attempts whose owner has closed them, by the time by which their end is told, if it is.
    released: VecDeque<(u64, u64)>,
    /// Unanswered exchange of connections that ended.
    ended: HashMap<u64, u32>,
    ended_order: VecDeque<u64>,
    next_idle_check_ns: u64,
}

/// The parts of the table that a connection's step uses.
macro_rules! context {
    ($table:ident, $out:ident) => {
        Context { config: &$table.config, counters: &mut $table.counters, out: $out }
    };
}

impl FlowTable {
    /// An empty table.
    pub fn new(config: FlowConfig) -> Self {
        let threads = Threads::new(config.max_threads);
        Self {
            config,
            counters: FlowCounters::default(),
            conns: HashMap::new(),
            threads,
            listeners: Listeners::default(),
            settling: VecDeque::new(),
            closing: VecDeque::new(),
            released: VecDeque::new(),
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
            next_idle_check_ns: 0,
        }
    }

    /// Takes the next event, in the order of the ring buffer.
    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<Output>) {
        match event {
            Event::Connect(open) => self.connect(open, out),
            Event::EstablishedActive(open) => self.established(open, Side::Client, out),
            Event::EstablishedPassive(open) => self.established(open, Side::Server, out),
            Event::Found(open) => self.found(open, out),
            Event::State(state) => self.state(state, out),
            Event::ResetSent(header) => self.mark(header, |conn, at_ns| {
                conn.record.reset_sent_ns.get_or_insert(at_ns);
            }),
            Event::ResetReceived(header) => self.mark(header, |conn, at_ns| {
                conn.record.reset_received_ns.get_or_insert(at_ns);
            }),
            Event::Retransmit(header) => self.mark(header, |conn, _| {
                if conn.record.established_ns.is_some() || conn.record.predates_observer {
                    conn.record.retransmits += 1;
                } else {
                    conn.record.syn_retransmits += 1;
                }
            }),
            Event::Segment(segment, data) => self.segment(segment, data, out),
            Event::Body(body) => self.body(body, out),
            Event::Recv(call) => self.call(call, SocketCallKind::Recv, out),
            Event::Send(call) => self.call(call, SocketCallKind::Send, out),
            Event::Release(call) => self.call(call, SocketCallKind::Close, out),
            Event::Error(header) => self.mark(header, |conn, _| {
                conn.reported = Some(header.flags);
            }),
            Event::Undialled(open) => {
                self.connect(open, out);
                self.undialled(&open.header);
            }
        }
    }

    /// Gives up what is too old at `now_ns` (`CLOCK_MONOTONIC`), and hands on finished exchanges that waited long enough.
    /// Call it after each drain.
    pub fn tick(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        while let Some(&(due_ns, cookie)) = self.settling.front()
            && due_ns <= now_ns
        {
            self.settling.pop_front();
            if let Some(conn) = self.conns.get_mut(&cookie) {
                conn.settling = false;
                let waits = conn.emit_exchanges(now_ns, &mut context!(self, out));
                self.wait(cookie, waits);
            }
        }
        self.emit_closed(now_ns, out);
        self.emit_released(now_ns, out);
        self.counters.listener_data_unclaimed += self.listeners.tick(now_ns);
        if now_ns >= self.next_idle_check_ns {
            self.next_idle_check_ns = now_ns + IDLE_CHECK_NS;
            let before_ns = now_ns.saturating_sub(self.config.idle_ns);
            let attempts = self.conns.values().filter(|conn| conn.last_ns < before_ns && conn.is_attempt());
            self.counters.ends_missed += attempts.count() as u64;
            self.counters.connections_expired += self.give_up(before_ns, out);
        }
    }

    /// Emits everything that is still open, as it stands (`Open`, `Pending`), and goes on following it: at the close of a
    /// run. What is emitted here is emitted again when it ends.
    pub fn flush(&mut self, out: &mut Vec<Output>) {
        self.emit_closed(u64::MAX, out);
        for conn in self.conns.values_mut() {
            conn.emit_open(&mut context!(self, out));
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> FlowCounters {
        FlowCounters { threads_forgotten: self.threads.forgotten, ..self.counters.clone() }
    }

    /// Connections held now.
    pub fn open_connections(&self) -> usize {
        self.conns.len()
    }

    fn connect(&mut self, open: &Open, out: &mut Vec<Output>) {
        let header = &open.header;
        let mut conn = Conn::new(header.cookie, &open.tuple, Some(Side::Client), header.at_ns);
        conn.learn(open);
        if open.thread != 0 {
            conn.record.thread = Some(open.thread);
            conn.record.opened_after = self.threads.before(open.thread, header.cookie).cloned();
            let call =
                SocketCall { kind: SocketCallKind::Connect, conn: header.cookie, exchange: None, at_ns: header.at_ns };
            self.threads.made(open.thread, call);
        }
        self.insert(conn, out);
    }

    /// The attempt that has just begun was over at once.
    fn undialled(&mut self, header: &Header) {
        let Some(conn) = self.conns.get_mut(&header.cookie) else { return };
        conn.record.closed_ns = Some(header.at_ns);
        conn.ended_ns = Some(header.at_ns);
        self.closing.push_back((header.at_ns.saturating_add(self.config.linger_ns), header.cookie));
    }

    fn established(&mut self, open: &Open, side: Side, out: &mut Vec<Output>) {
        let header = &open.header;
        if !self.conns.contains_key(&header.cookie) {
            let mut conn = Conn::new(header.cookie, &open.tuple, Some(side), header.at_ns);
            // A client socket's beginning was its `connect()`: it came before the port was watched, or was lost.
            if side == Side::Client {
                self.counters.beginnings_missed += 1;
                conn.record.predates_observer = true;
            }
            self.insert(conn, out);
        }
        let early = if side == Side::Server { self.listeners.claim(&open.tuple) } else { Vec::new() };
        let Some(conn) = self.conns.get_mut(&header.cookie) else { return };
        conn.side = Some(side);
        conn.learn(open);
        conn.record.established_ns = Some(header.at_ns);
        conn.last_ns = header.at_ns;
        for early in early {
            conn.cgroup = early.segment.cgroup;
            let payload = payload_of(&early.segment, &early.data);
            conn.payload(&payload, &mut context!(self, out));
        }
    }

    fn found(&mut self, open: &Open, out: &mut Vec<Output>) {
        let mut conn = Conn::new(open.header.cookie, &open.tuple, None, open.header.at_ns);
        conn.learn(open);
        conn.predates();
        self.counters.older_connections += 1;
        self.insert(conn, out);
    }

    fn state(&mut self, state: &State, out: &mut Vec<Output>) {
        let header = &state.header;
        let Some(conn) = self.conns.get_mut(&header.cookie) else { return };
        conn.last_ns = header.at_ns;
        let context = &mut context!(self, out);
        if state.header.flags & State::NOT_HTTP != 0 && conn.next_index == 0 && !conn.record.predates_observer {
            conn.is_not_http(context);
        }
        if conn.state(state, context) {
            self.closing.push_back((header.at_ns.saturating_add(self.config.linger_ns), header.cookie));
        }
        self.after_step(header.cookie, out);
    }

    /// Emits connections whose end is due.
    fn emit_closed(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        while let Some(&(due_ns, cookie)) = self.closing.front()
            && due_ns <= now_ns
        {
            self.closing.pop_front();
            let Some(mut conn) = self.conns.remove(&cookie) else { continue };
            if let Some(exchange) = conn.answered() {
                let index = exchange.record.index;
                self.remember_ended(cookie, index);
            }
            conn.emit(&mut context!(self, out));
        }
    }

    /// Emits attempts that were over before their owner closed them, and nobody told how: a kernel that runs no program in some places. They
    /// stay `Pending`, with the time of the closing.
    fn emit_released(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        while let Some(&(due_ns, cookie)) = self.released.front()
            && due_ns <= now_ns
        {
            self.released.pop_front();
            let Some(mut conn) = self.conns.remove(&cookie) else { continue };
            if conn.is_attempt() {
                conn.record.closed_ns = conn.released_ns;
                self.counters.ends_untold += 1;
                conn.emit(&mut context!(self, out));
            } else {
                self.conns.insert(cookie, conn);
            }
        }
    }

    fn segment(&mut self, segment: &Segment, data: &[u8], out: &mut Vec<Output>) {
        let header = &segment.header;
        if header.flags & SegmentFlags::LISTENER != 0 {
            self.counters.listener_data_unclaimed += self.listeners.keep(segment, data);
            return;
        }
        if !self.conns.contains_key(&header.cookie) {
            self.beginning_missed(header, &segment.tuple, out);
        }
        let Some(conn) = self.conns.get_mut(&header.cookie) else { return };
        conn.last_ns = header.at_ns;
        conn.cgroup = segment.cgroup;
        if segment.netns != 0 {
            conn.netns = segment.netns;
        }
        conn.payload(&payload_of(segment, data), &mut context!(self, out));
        self.after_step(header.cookie, out);
    }

    fn body(&mut self, body: &Body, out: &mut Vec<Output>) {
        let header = &body.header;
        let Some(conn) = self.conns.get_mut(&header.cookie) else { return };
        conn.last_ns = header.at_ns;
        let context = &mut context!(self, out);
        if header.flags & (SegmentFlags::NOT_HTTP | SegmentFlags::HTTP2) != 0 {
            context.counters.http2 += u64::from(header.flags & SegmentFlags::HTTP2 != 0);
            conn.is_not_http(context);
        }
        let payload = Payload {
            inbound: header.flags & SegmentFlags::INBOUND != 0,
            seq: body.seq,
            length: body.length,
            data: &[],
            at_ns: header.at_ns,
            last_chunk: header.flags & SegmentFlags::LAST_CHUNK != 0,
        };
        conn.payload(&payload, context);
        self.after_step(header.cookie, out);
    }

    fn call(&mut self, call: &Call, kind: SocketCallKind, out: &mut Vec<Output>) {
        let cookie = call.header.cookie;
        let Some(conn) = self.conns.get_mut(&cookie) else {
            let exchange = self.ended.get(&cookie).copied();
            let made = SocketCall { kind, conn: cookie, exchange, at_ns: call.header.at_ns };
            self.threads.made(call.thread, made);
            return;
        };
        conn.last_ns = call.header.at_ns;
        match kind {
            SocketCallKind::Recv => conn.recv(call, &mut self.threads),
            SocketCallKind::Send => conn.send(call, &mut self.threads),
            SocketCallKind::Connect | SocketCallKind::Close => {
                conn.release(call, &mut self.threads);
                if conn.is_attempt() && conn.released_ns.is_none() {
                    conn.released_ns = Some(call.header.at_ns);
                    self.released.push_back((call.header.at_ns.saturating_add(self.config.linger_ns), cookie));
                }
            }
        }
        self.after_step(cookie, out);
    }

    fn mark(&mut self, header: &Header, mark: impl FnOnce(&mut Conn, u64)) {
        if let Some(conn) = self.conns.get_mut(&header.cookie) {
            conn.last_ns = header.at_ns;
            mark(conn, header.at_ns);
        }
    }

    /// Emits what is over, and remembers what waits.
    fn after_step(&mut self, cookie: u64, out: &mut Vec<Output>) {
        if let Some(conn) = self.conns.get_mut(&cookie) {
            let now_ns = conn.last_ns;
            let waits = conn.emit_exchanges(now_ns, &mut context!(self, out));
            self.wait(cookie, waits);
        }
    }

    fn wait(&mut self, cookie: u64, due_ns: Option<u64>) {
        if let (Some(due_ns), Some(conn)) = (due_ns, self.conns.get_mut(&cookie))
            && !conn.settling
        {
            conn.settling = true;
            self.settling.push_back((due_ns, cookie));
        }
    }

    /// Payload of a connection that was never told: the ring buffer was full at its beginning.
    fn beginning_missed(&mut self, header: &Header, tuple: &Tuple, out: &mut Vec<Output>) {
        self.counters.beginnings_missed += 1;
        let mut conn = Conn::new(header.cookie, tuple, None, header.at_ns);
        conn.predates();
        self.insert(conn, out);
    }

    fn insert(&mut self, conn: Conn, out: &mut Vec<Output>) {
        if self.conns.len() >= self.config.max_connections {
            let mut times: Vec<u64> = self.conns.values().map(|conn| conn.last_ns).collect();
            let place = times.len() / 16;
            let (_, oldest, _) = times.select_nth_unstable(place);
            let oldest = *oldest;
            self.counters.connections_evicted += self.give_up(oldest.saturating_add(1), out);
        }
        self.conns.insert(conn.record.conn, conn);
    }

    /// Emits and drops connections not heard of since. Returns how many.
    fn give_up(&mut self, before_ns: u64, out: &mut Vec<Output>) -> u64 {
        let old: Vec<u64> =
            self.conns.iter().filter(|(_, conn)| conn.last_ns < before_ns).map(|(cookie, _)| *cookie).collect();
        for cookie in &old {
            if let Some(conn) = self.conns.remove(cookie) {
                conn.emit(&mut context!(self, out));
            }
        }
        old.len() as u64
    }

    fn remember_ended(&mut self, cookie: u64, exchange: u32) {
        if self.ended.insert(cookie, exchange).is_none() {
            self.ended_order.push_back(cookie);
        }
        if self.ended_order.len() > MOST_ENDED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }
}

fn payload_of<'a>(segment: &Segment, data: &'a [u8]) -> Payload<'a> {
    Payload {
        inbound: segment.header.flags & SegmentFlags::INBOUND != 0,
        seq: segment.seq,
        length: segment.length,
        data,
        at_ns: segment.header.at_ns,
        last_chunk: segment.header.flags & SegmentFlags::LAST_CHUNK != 0,
    }
}
