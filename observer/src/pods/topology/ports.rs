//! Which ports to watch.

use std::collections::BTreeMap;

use super::{Parts, ServiceName, Topology};
use crate::api::WatchedPort;

/// Source of a port that was named by a flag.
const FLAG: &str = "flag";

impl Topology {
    /// Whether a Service is watched: wanted, or a part of the run or of the flags.
    pub fn is_watched(&self, name: &ServiceName, run: Option<&Parts>) -> bool {
        let part = |parts: &Parts| parts.gateway.as_ref() == Some(name) || parts.upstream.as_ref() == Some(name);
        self.wanted.includes(name) || part(&self.parts) || run.is_some_and(part)
    }

    /// Every port to watch, each with where it comes from; the named parts first, so that they are the last to be left
    /// out when there are more than `max`. The second value says how many were left out.
    pub fn watched_ports(&self, run: Option<&Parts>, max: usize) -> (Vec<WatchedPort>, usize) {
        let mut ports: BTreeMap<u16, (u8, String)> = BTreeMap::new();
        let mut want = |port: u16, rank: u8, source: String| {
            let known = ports.entry(port).or_insert_with(|| (rank, source.clone()));
            if rank < known.0 {
                *known = (rank, source);
            }
        };
        for port in &self.wanted.ports {
            want(*port, 0, FLAG.into());
        }
        let rank = |name: &ServiceName| {
            let parts = run.unwrap_or(&self.parts);
            let named = parts.gateway.as_ref() == Some(name) || parts.upstream.as_ref() == Some(name);
            u8::from(!named)
        };
        for (name, state) in self.services.iter().filter(|(name, _)| self.is_watched(name, run)) {
            for port in &state.ports {
                want(port.port, rank(name), name.to_string());
                port.node_port.into_iter().for_each(|port| want(port, rank(name), name.to_string()));
            }
        }
        for slice in self.slices.values().filter(|slice| self.is_watched(&slice.service, run)) {
            slice.ports.iter().for_each(|port| want(*port, rank(&slice.service), slice.service.to_string()));
        }
        let mut ranked: Vec<_> = ports.into_iter().collect();
        ranked.sort_by_key(|(port, (rank, _))| (*rank, *port));
        let left_out = ranked.len().saturating_sub(max);
        ranked.truncate(max);
        (ranked.into_iter().map(|(port, (_, source))| WatchedPort { port, source }).collect(), left_out)
    }
}
