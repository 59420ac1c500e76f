//! From the flow table's records to histograms, counters and runs.

use super::Core;
use crate::agent::canary;
use crate::flow::Output;
use crate::nat::Tuple;
use crate::record::{Connection, ExchangeEnd, Hop, Outcome, Record};

impl Core {
    /// Hands what the flow table has put out to the joiner; probes and the canary end here.
    pub(super) fn offer_outputs(&mut self, snapshot: bool, now_ns: u64) {
        let outputs = std::mem::take(&mut self.outputs);
        for output in outputs {
            if self.is_canary(&output) {
                continue;
            }
            let (probe, counter) = match &output {
                Output::Connection(seen) => (seen.probe, "probe_connections"),
                Output::Exchange(seen) => (seen.probe, "probes"),
            };
            if probe {
                if !snapshot {
                    self.joiner.tally.seen(counter);
                }
                continue;
            }
            self.joiner.offer(output, snapshot, now_ns);
        }
    }

    fn is_canary(&mut self, output: &Output) -> bool {
        let Some(port) = self.canary.port else { return false };
        let (local, remote) = match output {
            Output::Connection(seen) => (seen.record.local, seen.record.remote),
            Output::Exchange(seen) => (seen.record.local, seen.record.remote),
        };
        let ours = canary::is_own(port, local, remote);
        let asks = matches!(output, Output::Exchange(seen) if seen.record.path == canary::PATH);
        if ours
            && asks
            && let Some(reply) = self.canary.asked.take()
        {
            // Nobody waits for it any more: the canary was given up.
            let _ = reply.send(());
        }
        ours
    }

    /// Takes finished records from the joiner. `force`: nothing waits any longer.
    pub(super) fn settle(&mut self, now_ns: u64, force: bool) {
        let mut joined = std::mem::take(&mut self.joined);
        let (joiner, asker) = (&mut self.joiner, &mut self.asker);
        let mut ask_failed = 0;
        let mut ask = |tuple: &Tuple| match asker.as_mut()?.ask(tuple) {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!(%error, "the kernel could not be asked for a conntrack entry");
                ask_failed += 1;
                None
            }
        };
        joiner.settle(now_ns, force, &mut ask, &mut joined);
        for _ in 0..ask_failed {
            joiner.tally.lost("conntrack_ask_failed");
        }
        for each in joined.drain(..) {
            if !each.snapshot {
                self.count(&each.record, now_ns);
            }
            self.runs.push(&each.record, !self.joiner.pods_watched());
        }
        self.joined = joined;
    }

    fn count(&mut self, record: &Record, now_ns: u64) {
        let tally = &mut self.joiner.tally;
        match record {
            Record::Exchange(it) => {
                if it.end != ExchangeEnd::Open {
                    self.hops.add(it, now_ns);
                }
                if it.pod.is_none() {
                    tally.seen("exchanges_without_pod");
                }
                if it.pipelined {
                    tally.seen("exchanges_pipelined");
                }
            }
            Record::Connection(it) => {
                tally.seen(connection_counter(it));
                if it.pod.is_none() {
                    tally.seen("connections_without_pod");
                }
                if it.hop == Hop::Upstream && it.nat.is_none() && it.outcome != Outcome::NoSourcePort {
                    tally.seen("upstream_connections_without_nat");
                }
                if it.not_http {
                    tally.seen("connections_not_http");
                }
            }
            Record::Translation(_) => tally.seen("translations"),
            Record::Throttling(_) | Record::Pressure(_) => {}
        }
    }
}

fn connection_counter(connection: &Connection) -> &'static str {
    match connection.outcome {
        Outcome::Established => "connections_established",
        Outcome::Refused => "connections_refused",
        Outcome::Unanswered => "connections_unanswered",
        Outcome::Unreachable => "connections_unreachable",
        Outcome::NoSourcePort => "connections_without_source_port",
        Outcome::Pending => "connections_pending",
    }
}
