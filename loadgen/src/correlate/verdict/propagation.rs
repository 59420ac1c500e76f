//! How long it takes until no new connection is sent to a pod that is being deleted, and until its listener is closed.
//! Requests are lost when the second comes first.

use crate::report::schema::{ChainStep, Deletion};

/// kube-proxy's usual shortest time between two syncs (`minSyncPeriod`).
const SYNC_MS: f64 = 1_000.0;

/// Over all deletions of serving pods, from the first sign of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagation {
    /// Longest time until the last new connection was sent to such a pod.
    pub last_new_connection_ms: Option<f64>,
    /// Longest time until the endpoint was taken out.
    pub endpoint_removed_ms: Option<f64>,
    /// Shortest time until a connection was refused.
    pub listener_gone_ms: Option<f64>,
    /// Shortest time until a connection was not answered at all.
    pub address_gone_ms: Option<f64>,
}

impl Propagation {
    /// Over the pods of one role among `deletions`.
    pub fn of(deletions: &[Deletion], role: &str) -> Self {
        let over = |step: &str, pick: fn(f64, f64) -> f64| {
            let chains = deletions.iter().filter(|deletion| deletion.role == role).map(|deletion| &deletion.chain);
            chains.filter_map(|chain| after_ms(chain, step)).reduce(pick)
        };
        Self {
            last_new_connection_ms: over("last_new_connection", f64::max).filter(|ms| *ms > 0.0),
            endpoint_removed_ms: over("endpoint_removed", f64::max),
            listener_gone_ms: over("listener_gone", f64::min),
            address_gone_ms: over("address_gone", f64::min),
        }
    }

    /// Seconds that a pod must go on serving after its deletion: until the last new connection, doubled for a slower day,
    /// and a second for the requests on their way. One run can have met kube-proxy just before a sync, so less than its
    /// usual second between two of them is not believed. `None`: not measured.
    pub fn advised_sleep_s(self) -> Option<u64> {
        let longest_ms = self.last_new_connection_ms.into_iter().chain(self.endpoint_removed_ms).reduce(f64::max)?;
        Some((longest_ms.max(SYNC_MS) * 2.0 / 1_000.0).ceil() as u64 + 1)
    }
}

/// Time of a step since the first one.
pub fn after_ms(chain: &[ChainStep], step: &str) -> Option<f64> {
    chain.iter().find(|found| found.step == step)?.after_ms
}
