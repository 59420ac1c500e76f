//! One connection as the flow table follows it.

use std::collections::VecDeque;

use observer_ebpf::wire::{Open, Tuple};

use super::{
    FlowConfig, FlowCounters, Output, Seen, Side,
    address::ends,
    calls::Written,
    exchange::InProgress,
    framer::{Carries, Framer},
    stream::Stream,
};
use crate::record::{Connection, Exchange, ExchangeEnd, Hop, Outcome};

/// What every step may use.
pub(super) struct Context<'a> {
    pub(super) config: &'a FlowConfig,
    pub(super) counters: &'a mut FlowCounters,
    pub(super) out: &'a mut Vec<Output>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    /// The record so far.
    pub(super) record: Connection,
    /// `None`: an older connection whose direction is not known yet.
    pub(super) side: Option<Side>,
    pub(super) cgroup: u64,
    pub(super) netns: u64,
    pub(super) inbound: Stream,
    pub(super) outbound: Stream,
    pub(super) requests: Framer,
    pub(super) answers: Framer,
    /// Exchanges that were not emitted yet, in their order.
    pub(super) exchanges: VecDeque<InProgress>,
    /// Index of the next exchange.
    pub(super) next_index: u32,
    /// Writes whose bytes have not all passed yet.
    pub(super) written: VecDeque<Written>,
    /// First read or write that covers the head being collected, by direction.
    pub(super) request_call: Option<Written>,
    pub(super) answer_call: Option<Written>,
    /// Its messages name a kubelet probe.
    pub(super) probe: bool,
    /// `sk_err` when it ended. `None`: not known.
    pub(super) error: Option<u32>,
    /// An error that was reported to the owner before; 0 for an ICMP error.
    pub(super) reported: Option<u32>,
    /// When the socket was closed for good.
    pub(super) ended_ns: Option<u64>,
    /// When its owner closed it, if it was an attempt still.
    pub(super) released_ns: Option<u64>,
    /// Bytes as the kernel counted them.
    pub(super) kernel_bytes: Option<(u64, u64)>,
    /// Last sign of life.
    pub(super) last_ns: u64,
    /// An exchange waits for its calls, and the table knows.
    pub(super) settling: bool,
}

impl Conn {
    pub(super) fn new(cookie: u64, tuple: &Tuple, side: Option<Side>, opened_ns: u64) -> Self {
        let (local, remote) = ends(tuple);
        Self {
            record: Connection {
                node: String::new(),
                conn: cookie,
                hop: Hop::Other,
                local,
                remote,
                pod: None,
                pod_source: None,
                nat: None,
                opened_ns,
                established_ns: None,
                closed_ns: None,
                outcome: Outcome::Pending,
                close: None,
                reset_sent_ns: None,
                reset_received_ns: None,
                syn_retransmits: 0,
                retransmits: 0,
                srtt_us: None,
                bytes_in: 0,
                bytes_out: 0,
                exchanges: 0,
                opened_after: None,
                thread: None,
                predates_observer: false,
                not_http: false,
            },
            side,
            cgroup: 0,
            netns: 0,
            inbound: Stream::default(),
            outbound: Stream::default(),
            requests: Framer::new(Carries::Requests),
            answers: Framer::new(Carries::Answers),
            exchanges: VecDeque::new(),
            next_index: 0,
            written: VecDeque::new(),
            request_call: None,
            answer_call: None,
            probe: false,
            error: None,
            reported: None,
            ended_ns: None,
            released_ns: None,
            kernel_bytes: None,
            last_ns: opened_ns,
            settling: false,
        }
    }

    /// Takes over what the event tells of the socket itself.
    pub(super) fn learn(&mut self, open: &Open) {
        if open.cgroup != 0 {
            self.cgroup = open.cgroup;
        }
        if open.netns != 0 {
            self.netns = open.netns;
        }
        if open.header.flags & Open::HAS_SEQ != 0 {
            self.inbound.begin(open.seq_in);
            self.outbound.begin(open.seq_out);
        }
    }

    /// Marks the beginning as not seen: messages are recognised where they begin.
    pub(super) fn predates(&mut self) {
        self.record.predates_observer = true;
        self.requests.lose();
        self.answers.lose();
    }

    /// The end that this socket is; a guess by the port numbers when nothing else is known.
    pub(super) fn side_or_guess(&self) -> Side {
        self.side.unwrap_or(if self.record.local.port() < self.record.remote.port() {
            Side::Server
        } else {
            Side::Client
        })
    }

    /// A record of this connection's, with what the agent needs to name its pod.
    pub(super) fn seen<R>(&self, record: R, probe: bool) -> Seen<R> {
        Seen { record, side: self.side_or_guess(), cgroup_id: self.cgroup, netns: self.netns, probe }
    }

    /// An exchange of this connection, nothing known yet.
    pub(super) fn blank_exchange(&self) -> Exchange {
        Exchange {
            node: String::new(),
            conn: self.record.conn,
            index: self.next_index,
            hop: Hop::Other,
            local: self.record.local,
            remote: self.record.remote,
            pod: None,
            pod_source: None,
            trace_id: None,
            method: String::new(),
            path: String::new(),
            status: None,
            request_start_ns: 0,
            request_end_ns: None,
            request_read_ns: None,
            response_start_ns: None,
            response_end_ns: None,
            response_read_ns: None,
            request_bytes: 0,
            response_bytes: 0,
            end: ExchangeEnd::Open,
            sent_after: None,
            thread: None,
            pipelined: false,
            reused: self.next_index > 0 || self.record.predates_observer,
        }
    }
}
