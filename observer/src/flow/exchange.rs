//! An exchange while it goes on.

use super::Side;
use crate::record::{Exchange, ExchangeEnd};

/// One request and what came of it so far.
#[derive(Clone, Debug)]
pub(super) struct InProgress {
    /// The record so far; `end` is [`ExchangeEnd::Open`] until it is known.
    pub(super) record: Exchange,
    /// The request names itself a kubelet probe.
    pub(super) probe: bool,
    /// Offset of the request's first byte.
    pub(super) request_begin: u64,
    /// The request is complete.
    pub(super) request_done: bool,
    /// Offset of the final answer's first byte.
    pub(super) answer_begin: Option<u64>,
    /// The answer is complete, or will never be.
    pub(super) answer_done: bool,
    /// When the exchange ended.
    pub(super) ended_ns: u64,
}

impl InProgress {
    /// Nothing more will be learned from payload.
    pub(super) fn is_over(&self) -> bool {
        self.record.end != ExchangeEnd::Open
    }

    /// Ends it, once.
    pub(super) fn end(&mut self, end: ExchangeEnd, at_ns: u64) {
        if self.record.end == ExchangeEnd::Open {
            self.record.end = end;
            self.answer_done = true;
            self.ended_ns = at_ns;
        }
    }

    /// Complete as soon as both messages are.
    pub(super) fn settle_completion(&mut self, at_ns: u64) {
        if self.request_done && self.answer_done {
            self.end(ExchangeEnd::Complete, at_ns);
        }
    }

    /// The socket calls that belong to it were seen: the read of the answer at a client, its write at a server.
    pub(super) fn has_calls(&self, side: Side) -> bool {
        match side {
            Side::Client => self.record.response_read_ns.is_some(),
            Side::Server => self.record.thread.is_some(),
        }
    }
}
