//! Payload of a connection: in order, cut into messages, paired into exchanges.

use observer_ebpf::http::Start;

use super::{
    Side,
    connection::{Conn, Context},
    exchange::InProgress,
    framer::{Carries, Found, begins_message, start_of},
    head::{Body, RequestHead, ResponseHead},
    stream::Piece,
};
use crate::record::ExchangeEnd;

/// Payload as an event tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload<'a> {
    pub(super) inbound: bool,
    pub(super) seq: u32,
    pub(super) length: u32,
    pub(super) data: &'a [u8],
    pub(super) at_ns: u64,
    pub(super) last_chunk: bool,
}

impl Conn {
    /// Takes payload.
    pub(super) fn payload(&mut self, payload: &Payload<'_>, context: &mut Context<'_>) {
        if self.side.is_none() {
            self.side = match (start_of(payload.data), payload.inbound) {
                (Start::REQUEST, true) | (Start::RESPONSE, false) => Some(Side::Server),
                (Start::REQUEST, false) | (Start::RESPONSE, true) => Some(Side::Client),
                // In the middle of something that nobody saw begin.
                _ => return,
            };
        }
        let carries = self.carries(payload.inbound);
        let mut stream = std::mem::take(self.stream(payload.inbound));
        let piece = Piece {
            offset: 0,
            length: u64::from(payload.length),
            data: payload.data,
            at_ns: Some(payload.at_ns),
            last_chunk: payload.last_chunk,
        };
        let in_bounds = stream.insert(payload.seq, piece, &mut |piece| self.advance(carries, piece, context));
        if !in_bounds {
            context.counters.payload_bytes_missed +=
                stream.give_up_gap(&mut |piece| self.advance(carries, piece, context));
        }
        *self.stream(payload.inbound) = stream;
    }

    /// Gives up what is missing in a direction, because what followed shows that the other end has it.
    pub(super) fn give_up_gap(&mut self, inbound: bool, context: &mut Context<'_>) {
        if !self.stream(inbound).has_gap() {
            return;
        }
        let carries = self.carries(inbound);
        let mut stream = std::mem::take(self.stream(inbound));
        context.counters.payload_bytes_missed += stream.give_up_gap(&mut |piece| self.advance(carries, piece, context));
        *self.stream(inbound) = stream;
    }

    fn stream(&mut self, inbound: bool) -> &mut super::stream::Stream {
        if inbound { &mut self.inbound } else { &mut self.outbound }
    }

    fn carries(&self, inbound: bool) -> Carries {
        if (self.side == Some(Side::Server)) == inbound { Carries::Requests } else { Carries::Answers }
    }

    fn advance(&mut self, carries: Carries, mut piece: Piece<'_>, context: &mut Context<'_>) {
        while piece.length > 0 {
            match carries {
                Carries::Requests => {
                    if self.requests.in_chunked() && begins_message(&piece) && self.last_is_answered() {
                        self.requests.end();
                        self.request_ended();
                    }
                    match self.requests.take(&mut piece) {
                        Found::Start => self.request_begins(context),
                        Found::Request(head) => self.request_head(head, context),
                        Found::End => self.request_ended(),
                        Found::NotHttp => self.not_http(context),
                        Found::Lost => self.request_lost(context),
                        Found::Nothing | Found::Response(_) => (),
                    }
                }
                Carries::Answers => match self.answers.take(&mut piece) {
                    Found::Start => self.answer_begins(context),
                    Found::Response(head) => self.answer_head(head, context),
                    Found::End => self.answer_ended(),
                    Found::NotHttp => self.not_http(context),
                    Found::Lost => self.answer_lost(context),
                    Found::Nothing | Found::Request(_) => (),
                },
            }
        }
        self.count_bytes(carries);
    }

    /// Keeps the bytes of messages that are not complete up to date.
    fn count_bytes(&mut self, carries: Carries) {
        match carries {
            Carries::Requests => {
                let bytes = self.requests.bytes;
                if let Some(exchange) = self.exchanges.back_mut().filter(|exchange| !exchange.request_done) {
                    exchange.record.request_bytes = bytes;
                }
            }
            Carries::Answers => {
                let bytes = self.answers.bytes;
                if let Some(exchange) = self.answered()
                    && exchange.answer_begin.is_some()
                {
                    exchange.record.response_bytes = bytes;
                }
            }
        }
    }

    /// The exchange that the next answer, or the current one, belongs to.
    pub(super) fn answered(&mut self) -> Option<&mut InProgress> {
        self.exchanges.iter_mut().find(|exchange| !exchange.answer_done)
    }

    fn last_is_answered(&self) -> bool {
        self.exchanges.back().is_none_or(|exchange| exchange.answer_done)
    }

    fn request_begins(&mut self, context: &mut Context<'_>) {
        self.give_up_gap(self.side == Some(Side::Client), context);
        // Behind a chunked answer whose end was not recognised (trailers) only its last byte can be told now.
        if self.answers.in_chunked() {
            self.answers.end();
            self.answer_ended();
        }
        self.request_call = None;
        self.attach_written(Carries::Requests);
    }

    fn request_head(&mut self, head: RequestHead, context: &mut Context<'_>) {
        let mut record = self.blank_exchange();
        record.pipelined = self.exchanges.iter().any(|exchange| !exchange.answer_done);
        context.counters.pipelined += u64::from(record.pipelined);
        record.method = head.method;
        record.path = head.path;
        record.trace_id = head.trace_id;
        record.request_start_ns = self.requests.begin_ns;
        record.request_bytes = self.requests.bytes;
        self.probe |= head.probe;
        let mut exchange = InProgress {
            record,
            probe: head.probe,
            request_begin: self.requests.begin,
            request_done: false,
            answer_begin: None,
            answer_done: false,
            ended_ns: 0,
        };
        if let Some(call) = self.request_call.take() {
            call.attach_to_request(&mut exchange, self.side);
        }
        self.exchanges.push_back(exchange);
        self.next_index += 1;
        self.record.exchanges += 1;
        if head.body == Body::Unknown {
            context.counters.framing_lost += 1;
        }
        if self.requests.body(head.body) {
            self.request_ended();
        }
    }

    fn request_ended(&mut self) {
        let (bytes, last_ns) = (self.requests.bytes, self.requests.last_ns);
        if let Some(exchange) = self.exchanges.back_mut().filter(|exchange| !exchange.request_done) {
            exchange.request_done = true;
            exchange.record.request_bytes = bytes;
            exchange.record.request_end_ns = last_ns;
            exchange.settle_completion(last_ns.unwrap_or(exchange.record.request_start_ns));
        }
    }

    fn request_lost(&mut self, context: &mut Context<'_>) {
        context.counters.framing_lost += 1;
        self.request_call = None;
    }

    fn answer_begins(&mut self, context: &mut Context<'_>) {
        self.give_up_gap(self.side == Some(Side::Server), context);
        self.answer_call = None;
        self.attach_written(Carries::Answers);
    }

    fn answer_head(&mut self, head: ResponseHead, context: &mut Context<'_>) {
        let (begin, begin_ns, bytes) = (self.answers.begin, self.answers.begin_ns, self.answers.bytes);
        let last_ns = self.answers.last_ns;
        let call = self.answer_call.take();
        let side = self.side;
        if head.is_interim() {
            context.counters.interim_answers += 1;
            self.answers.body(Body::Length(0));
            return;
        }
        let Some(exchange) = self.answered() else {
            context.counters.answers_without_request += 1;
            self.answers.body(head.body(""));
            return;
        };
        exchange.record.status = Some(head.status);
        exchange.record.response_start_ns = Some(begin_ns);
        exchange.record.response_bytes = bytes;
        exchange.answer_begin = Some(begin);
        if let Some(call) = call {
            call.attach_to_answer(exchange, side);
        }
        let body = head.body(&exchange.record.method);
        match body {
            Body::Switched => {
                exchange.record.response_end_ns = last_ns;
                exchange.end(ExchangeEnd::Upgraded, last_ns.unwrap_or(begin_ns));
                self.requests.make_opaque();
                self.answers.make_opaque();
            }
            Body::Unknown => self.answer_lost(context),
            _ => {
                if self.answers.body(body) {
                    self.answer_ended();
                }
            }
        }
    }

    pub(super) fn answer_ended(&mut self) {
        let (bytes, last_ns) = (self.answers.bytes, self.answers.last_ns);
        if let Some(exchange) = self.answered()
            && exchange.answer_begin.is_some()
        {
            exchange.answer_done = true;
            exchange.record.response_bytes = bytes;
            exchange.record.response_end_ns = last_ns;
            exchange.settle_completion(last_ns.unwrap_or(exchange.record.request_start_ns));
        }
    }

    fn answer_lost(&mut self, context: &mut Context<'_>) {
        context.counters.framing_lost += 1;
        self.answers.lose();
        self.answer_call = None;
        let at_ns = self.last_ns;
        if let Some(exchange) = self.answered() {
            exchange.end(ExchangeEnd::Unparsed, at_ns);
        }
    }

    /// A head that is none. On a fresh connection nothing of it is HTTP/1.x.
    fn not_http(&mut self, context: &mut Context<'_>) {
        if self.next_index == 0 && !self.record.predates_observer {
            self.is_not_http(context);
        } else {
            context.counters.framing_lost += 1;
            let at_ns = self.last_ns;
            if let Some(exchange) = self.answered() {
                exchange.end(ExchangeEnd::Unparsed, at_ns);
            }
        }
    }

    /// The connection does not speak HTTP/1.x.
    pub(super) fn is_not_http(&mut self, context: &mut Context<'_>) {
        if !self.record.not_http {
            self.record.not_http = true;
            context.counters.not_http += 1;
        }
        self.requests.make_opaque();
        self.answers.make_opaque();
    }
}
