//! One request on its way: a success first, then changed into what a test needs.

use loadgen::raw::{ClientError, ClientErrorKind, ClientRequest};
use observer::record::{Close, Connection, Exchange, ExchangeEnd, NatSource, Outcome, Translation};

/// One attempt at a pod, with both ends.
#[derive(Clone, Debug)]
pub struct Try {
    pub conn: Option<Connection>,
    pub exchange: Option<Exchange>,
    pub pod_conn: Option<Connection>,
    pub pod_exchange: Option<Exchange>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Flow {
    pub client: ClientRequest,
    pub translation: Option<Translation>,
    pub front_conn: Option<Connection>,
    pub front: Option<Exchange>,
    pub tries: Vec<Try>,
}

pub const MS: u64 = 1_000_000;

impl Try {
    pub fn conn(&mut self) -> &mut Connection {
        self.conn.as_mut().unwrap()
    }

    pub fn exchange(&mut self) -> &mut Exchange {
        self.exchange.as_mut().unwrap()
    }

    /// Nothing was sent: `outcome` after `after_ms`.
    pub fn failed(&mut self, outcome: Outcome, after_ms: u64) -> &mut Self {
        let conn = self.conn.as_mut().unwrap();
        let end_ns = conn.opened_ns + after_ms * MS;
        conn.outcome = outcome;
        conn.established_ns = None;
        conn.closed_ns = Some(end_ns);
        conn.reset_received_ns = (outcome == Outcome::Refused).then_some(end_ns);
        conn.syn_retransmits = u32::from(outcome == Outcome::Unanswered);
        conn.close = None;
        conn.exchanges = 0;
        (conn.bytes_in, conn.bytes_out) = (0, 0);
        self.exchange = None;
        self.pod_conn = None;
        self.pod_exchange = None;
        self
    }

    /// The request was written, but the connection ended after `after_ms` without a complete answer.
    pub fn cut(&mut self, close: Close, after_ms: u64) -> &mut Self {
        let conn = self.conn.as_mut().unwrap();
        let end_ns = conn.opened_ns + after_ms * MS;
        conn.close = Some(close);
        conn.closed_ns = Some(end_ns);
        conn.reset_received_ns = (close == Close::ResetRemote).then_some(end_ns);
        for exchange in [self.exchange.as_mut(), self.pod_exchange.as_mut()].into_iter().flatten() {
            exchange.status = None;
            exchange.response_start_ns = None;
            exchange.response_end_ns = None;
            exchange.response_read_ns = None;
            exchange.end = if close == Close::ResetRemote { ExchangeEnd::Reset } else { ExchangeEnd::Closed };
        }
        self
    }

    pub fn source(&mut self, source: NatSource) -> &mut Self {
        self.conn().nat.as_mut().unwrap().source = source;
        self
    }
}

impl Flow {
    /// The last attempt.
    pub fn last(&mut self) -> &mut Try {
        self.tries.last_mut().unwrap()
    }

    /// The client was answered with that status, `after_ms` after it had sent.
    pub fn answered(mut self, status: u16, after_ms: u64) -> Self {
        self.client.status = Some(status);
        self.client.end_ns = self.client.sent_ns + after_ms * MS;
        self.client.headers_ns = Some(self.client.end_ns - 10_000);
        if status != 200 {
            self.client.pod_name = None;
        }
        let end_ns = self.client.end_ns - 50_000;
        if let Some(front) = &mut self.front {
            front.status = Some(status);
            front.response_start_ns = Some(end_ns - 10_000);
            front.response_end_ns = Some(end_ns);
        }
        self
    }

    /// The client got an error instead, `after_ms` after it had sent.
    pub fn errored(mut self, kind: ClientErrorKind, after_ms: u64) -> Self {
        self.client.error = Some(ClientError { kind, detail: "as the client's library words it".into() });
        self.client.status = None;
        self.client.headers_ns = None;
        self.client.end_ns = self.client.sent_ns + after_ms * MS;
        self.client.local = None;
        self.client.remote = None;
        self.client.pod_name = None;
        if let Some(front) = &mut self.front {
            front.status = None;
            front.response_start_ns = None;
            front.response_end_ns = None;
            front.end = ExchangeEnd::Closed;
        }
        self
    }

    /// Nothing but the client's attempt: the gateway never had it.
    pub fn never_at_gateway(mut self) -> Self {
        self.front = None;
        self.front_conn = None;
        self.tries.clear();
        self
    }
}
