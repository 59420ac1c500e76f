//! Birth, FINs, resets and end of a connection.

use observer_ebpf::wire::State;

use super::{
    Side,
    connection::{Conn, Context},
};
use crate::record::{Close, ExchangeEnd, Outcome};

const ETIMEDOUT: u32 = 110;

impl Conn {
    /// Nobody has answered it, and its end was not told.
    pub(super) fn is_attempt(&self) -> bool {
        self.record.established_ns.is_none() && !self.record.predates_observer && self.ended_ns.is_none()
    }

    /// The TCP state changed. Returns true when this was the connection's end.
    pub(super) fn state(&mut self, state: &State, context: &mut Context<'_>) -> bool {
        let at_ns = state.header.at_ns;
        self.kernel_bytes = Some((state.bytes_in, state.bytes_out));
        if state.header.flags & State::HAS_SRTT != 0 && state.srtt_us != 0 {
            self.record.srtt_us = Some(state.srtt_us);
        }
        if self.record.established_ns.is_some() || self.record.predates_observer {
            self.record.closed_ns.get_or_insert(at_ns);
        }
        match state.new {
            State::FIN_WAIT1 => {
                self.record.close.get_or_insert(Close::FinLocal);
            }
            State::CLOSE_WAIT => {
                self.record.close.get_or_insert(Close::FinRemote);
                if self.side == Some(Side::Client) {
                    // No more answers can come. What they lack now they will lack for ever.
                    self.give_up_gap(true, context);
                    self.answers_end(at_ns);
                }
            }
            State::CLOSE => {
                if state.header.flags & State::HAS_ERROR != 0 {
                    self.error = Some(state.error);
                }
                self.give_up_gap(true, context);
                self.give_up_gap(false, context);
                self.record.closed_ns.get_or_insert(at_ns);
                self.ended_ns = Some(at_ns);
                return true;
            }
            _ => (),
        }
        false
    }

    /// Decides what the end was, once everything about it has been told.
    pub(super) fn conclude(&mut self, ended_ns: u64) {
        if self.record.established_ns.is_some() || self.record.predates_observer {
            self.record.outcome = Outcome::Established;
            let close = self.abrupt_close();
            self.record.close.get_or_insert(close);
        } else {
            self.record.outcome = self.failed_attempt();
        }
        self.answers_end(ended_ns);
    }

    /// How an established connection ended that ended without a FIN.
    fn abrupt_close(&self) -> Close {
        match (self.record.reset_sent_ns, self.record.reset_received_ns) {
            (None, Some(_)) => Close::ResetRemote,
            (Some(sent), Some(received)) if received < sent => Close::ResetRemote,
            (None, None) if self.error == Some(ETIMEDOUT) => Close::TimedOut,
            // The tracepoints of resets may be missing; an error then says that it came from outside.
            (None, None) if self.error.is_some_and(|error| error != 0) => Close::ResetRemote,
            (Some(_), _) | (None, None) => Close::ResetLocal,
        }
    }

    /// What became of an attempt that was never established.
    fn failed_attempt(&self) -> Outcome {
        if self.record.local.port() == 0 {
            return Outcome::NoSourcePort;
        }
        if self.record.reset_received_ns.is_some() {
            return Outcome::Refused;
        }
        // The owner may have read, and so cleared, the error before it closed. A firewall's REJECT is an ICMP error.
        match self.error.filter(|error| *error != 0).or(self.reported) {
            // Without an error the caller gave up; the kernel gives up with a timeout.
            None | Some(ETIMEDOUT) => Outcome::Unanswered,
            Some(_) => Outcome::Unreachable,
        }
    }

    /// No answer can go on: what is complete is complete, the rest is cut.
    fn answers_end(&mut self, at_ns: u64) {
        let was_reset = self.record.reset_received_ns.is_some()
            || self.record.reset_sent_ns.is_some()
            || matches!(self.record.close, Some(Close::ResetLocal | Close::ResetRemote));
        let broken = self.error.is_some_and(|error| error != 0);
        if self.answers.until_close() && !was_reset && !broken {
            self.answers.end();
            self.answer_ended();
        }
        for exchange in &mut self.exchanges {
            let end = if exchange.answer_done {
                ExchangeEnd::Complete
            } else if was_reset {
                ExchangeEnd::Reset
            } else {
                ExchangeEnd::Closed
            };
            exchange.end(end, at_ns);
        }
    }
}
