//! Records leave the flow table.

use super::{
    Output, Side,
    connection::{Conn, Context},
};
use crate::record::{ExchangeEnd, Outcome};

impl Conn {
    /// Emits exchanges that are over, in their order. Complete ones wait for their socket calls until `settle_ns` after
    /// their end, at `now_ns`. Returns when the first that still waits is due.
    pub(super) fn emit_exchanges(&mut self, now_ns: u64, context: &mut Context<'_>) -> Option<u64> {
        while let Some(first) = self.exchanges.front() {
            if !first.is_over() {
                return None;
            }
            let due_ns = first.ended_ns.saturating_add(context.config.settle_ns);
            let waits = context.config.calls
                && first.record.end == ExchangeEnd::Complete
                && !first.has_calls(self.side.unwrap_or(Side::Client))
                && now_ns < due_ns;
            if waits {
                return Some(due_ns);
            }
            let first = self.exchanges.pop_front()?;
            context.counters.exchanges += 1;
            let seen = self.seen(first.record, first.probe);
            context.out.push(Output::Exchange(seen));
        }
        None
    }

    /// Emits the connection, and what is left of its exchanges, for good.
    pub(super) fn emit(mut self, context: &mut Context<'_>) {
        if let Some(ended_ns) = self.ended_ns {
            self.conclude(ended_ns);
        }
        self.emit_exchanges(u64::MAX, context);
        self.emit_open_exchanges(context);
        context.counters.connections += 1;
        let seen = self.connection_record();
        context.out.push(Output::Connection(seen));
    }

    /// Emits what is still open as it stands, and goes on.
    pub(super) fn emit_open(&mut self, context: &mut Context<'_>) {
        self.emit_exchanges(u64::MAX, context);
        self.emit_open_exchanges(context);
        let seen = self.connection_record();
        context.out.push(Output::Connection(seen));
    }

    fn emit_open_exchanges(&self, context: &mut Context<'_>) {
        for exchange in &self.exchanges {
            context.out.push(Output::Exchange(self.seen(exchange.record.clone(), exchange.probe)));
        }
    }

    fn connection_record(&self) -> super::Seen<crate::record::Connection> {
        let mut record = self.record.clone();
        let (bytes_in, bytes_out) = self.kernel_bytes.unwrap_or_default();
        record.bytes_in = bytes_in.max(self.inbound.next());
        record.bytes_out = bytes_out.max(self.outbound.next());
        if record.established_ns.is_some() || record.predates_observer {
            record.outcome = Outcome::Established;
        }
        self.seen(record, self.probe)
    }
}
