//! Keeps the watched ports in step with the Services.

use super::Core;
use crate::api::WatchedPort;

/// Ports watched at once. The kernel side holds far more; this many Services on one node would be a misunderstanding.
const PORTS_MAX: usize = 256;

impl Core {
    /// Watches what the Services and the open run say, if that has changed.
    pub(super) fn rewatch(&mut self) {
        if !std::mem::take(&mut self.watched_stale) {
            return;
        }
        let (mut ports, left_out) = self.joiner.topology.watched_ports(self.joiner.parts(), PORTS_MAX);
        if left_out > 0 {
            tracing::warn!(left_out, "more ports than can be watched; choose with --namespace or --port");
        }
        if let Some(port) = self.canary.port.filter(|_| self.canary.watched) {
            ports.push(WatchedPort { port, source: "canary".into() });
        }
        if ports == self.watched {
            return;
        }
        let numbers: Vec<u16> = ports.iter().map(|watched| watched.port).collect();
        match self.kernel.watch_ports(&numbers) {
            Ok(()) => {
                tracing::info!(ports = ?numbers, "watching");
                self.config.ports.replace(numbers);
                self.watched = ports;
            }
            Err(error) => {
                tracing::error!(%error, "the set of watched ports could not be changed; it is tried again");
                self.joiner.tally.lost("watch_ports_failed");
                self.watched_stale = true;
            }
        }
    }
}
