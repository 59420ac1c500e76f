//! Socket calls and the exchanges that they belong to.
//!
//! The kernel tells with each call how many bytes were moved before, so a call is laid against the stream by its bytes, not
//! by its time: exact also when a write's segment leaves later, or when two requests are read at once.

use observer_ebpf::wire::Call;

use super::{Side, connection::Conn, exchange::InProgress, framer::Carries, threads::Threads};
use crate::record::{SocketCall, SocketCallKind};

/// Writes remembered until their bytes pass.
const MAX_WRITTEN: usize = 64;

/// A read or a write.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// Offset of the first byte after it.
    end: u64,
    at_ns: u64,
    thread: u32,
    /// The thread's call before it, elsewhere.
    after: Option<SocketCall>,
}

impl Written {
    /// It moved the first bytes of a request.
    pub(super) fn attach_to_request(self, exchange: &mut InProgress, side: Option<Side>) {
        let record = &mut exchange.record;
        match side {
            Some(Side::Server) => {
                record.request_read_ns.get_or_insert(self.at_ns);
            }
            _ if record.thread.is_none() => {
                record.thread = Some(self.thread);
                if record.reused {
                    record.sent_after = self.after;
                }
            }
            _ => (),
        }
    }

    /// It moved the first bytes of a final answer.
    pub(super) fn attach_to_answer(self, exchange: &mut InProgress, side: Option<Side>) {
        match side {
            Some(Side::Server) => {
                exchange.record.thread.get_or_insert(self.thread);
            }
            _ => {
                exchange.record.response_read_ns.get_or_insert(self.at_ns);
            }
        }
    }
}

impl Conn {
    /// Data was read from the socket.
    pub(super) fn recv(&mut self, call: &Call, threads: &mut Threads) {
        let carries = if self.side == Some(Side::Server) { Carries::Requests } else { Carries::Answers };
        let made = self.call(SocketCallKind::Recv, carries, call, false, threads);
        self.attach(carries, made);
    }

    /// Data was written to the socket.
    pub(super) fn send(&mut self, call: &Call, threads: &mut Threads) {
        let carries = if self.side == Some(Side::Server) { Carries::Answers } else { Carries::Requests };
        let made = self.call(SocketCallKind::Send, carries, call, call.offset >= self.outbound.next(), threads);
        if made.end > self.outbound.next() {
            if self.written.len() == MAX_WRITTEN {
                self.written.pop_front();
            }
            self.written.push_back(made.clone());
        }
        self.attach(carries, made);
    }

    /// The socket was closed.
    pub(super) fn release(&mut self, call: &Call, threads: &mut Threads) {
        let exchange = self.answered().map(|exchange| exchange.record.index);
        let close =
            SocketCall { kind: SocketCallKind::Close, conn: self.record.conn, exchange, at_ns: call.header.at_ns };
        threads.made(call.thread, close);
    }

    fn call(&self, kind: SocketCallKind, carries: Carries, call: &Call, ahead: bool, threads: &mut Threads) -> Written {
        let conn = self.record.conn;
        let after = threads.before(call.thread, conn).cloned();
        let exchange = self.exchange_at(carries, call.offset, ahead);
        threads.made(call.thread, SocketCall { kind, conn, exchange, at_ns: call.header.at_ns });
        Written {
            end: call.offset + u64::from(call.moved.unsigned_abs()),
            at_ns: call.header.at_ns,
            thread: call.thread,
            after,
        }
    }

    /// Index of the exchange that the byte at `offset` belongs to. `ahead`: it has not passed yet.
    fn exchange_at(&self, carries: Carries, offset: u64, ahead: bool) -> Option<u32> {
        let begins = |exchange: &InProgress| match carries {
            Carries::Requests => Some(exchange.request_begin),
            Carries::Answers => exchange.answer_begin,
        };
        let framer = match carries {
            Carries::Requests => &self.requests,
            Carries::Answers => &self.answers,
        };
        let open =
            || self.exchanges.iter().find(|exchange| !exchange.answer_done).map(|exchange| exchange.record.index);
        if ahead || (framer.in_head() && framer.begin <= offset) {
            return match carries {
                Carries::Requests => Some(self.next_index),
                Carries::Answers => open(),
            };
        }
        self.exchanges
            .iter()
            .rev()
            .find(|exchange| begins(exchange).is_some_and(|begin| begin <= offset))
            .map(|exchange| exchange.record.index)
            .or_else(|| if carries == Carries::Answers { open() } else { None })
            .or_else(|| self.next_index.checked_sub(1))
    }

    /// Lays a call against the messages whose first byte it moved.
    fn attach(&mut self, carries: Carries, call: Written) {
        let side = self.side;
        for exchange in &mut self.exchanges {
            match carries {
                Carries::Requests if exchange.request_begin < call.end => {
                    call.clone().attach_to_request(exchange, side);
                }
                Carries::Answers if exchange.answer_begin.is_some_and(|begin| begin < call.end) => {
                    call.clone().attach_to_answer(exchange, side);
                }
                _ => (),
            }
        }
        let (framer, waiting) = match carries {
            Carries::Requests => (&self.requests, &mut self.request_call),
            Carries::Answers => (&self.answers, &mut self.answer_call),
        };
        if framer.in_head() && framer.begin < call.end && waiting.is_none() {
            *waiting = Some(call);
        }
    }

    /// A message's first byte passes: finds the write that brought it, made before.
    pub(super) fn attach_written(&mut self, carries: Carries) {
        let outbound = if self.side == Some(Side::Server) { Carries::Answers } else { Carries::Requests };
        if carries != outbound {
            return;
        }
        let begin = if carries == Carries::Requests { self.requests.begin } else { self.answers.begin };
        while self.written.front().is_some_and(|call| call.end <= begin) {
            self.written.pop_front();
        }
        let call = self.written.front().cloned();
        match carries {
            Carries::Requests => self.request_call = call,
            Carries::Answers => self.answer_call = call,
        }
    }
}
