//! Questions and orders.

use std::collections::BTreeMap;

use super::Core;
use crate::agent::input::{Command, Reply, Snapshot};
use crate::agent::status;
use crate::api::{Problem, Run, RunRequest, Status};
use crate::clock::monotonic_ns;
use crate::pods::ServiceName;
use crate::pods::watch::WATCHES;
use crate::runs::Refused;

/// An asker that has gone away needs no answer.
fn answer<T>(reply: Reply<T>, value: T) {
    let _ = reply.send(value);
}

impl Core {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Health(reply) => answer(reply, Status::problem_of(&self.kernel.programs(), self.canary.seen)),
            Command::Status(reply) => answer(reply, self.status(true)),
            Command::Snapshot(reply) => {
                answer(reply, Box::new(Snapshot { status: self.status(false), hops: self.hops.clone() }));
            }
            Command::OpenRun(request, reply) => answer(reply, self.open_run(request)),
            Command::GetRun(id, reply) => answer(reply, self.runs.get(&id)),
            Command::CloseRun(id, reply) => self.close(id, reply),
            Command::DeleteRun(id, reply) => {
                let deleted = self.runs.delete(&id);
                self.set_run_parts();
                answer(reply, deleted);
            }
            Command::Records(id, reply) => answer(reply, self.runs.records(&id, &self.losses())),
            Command::CanaryPort(port, reply) => {
                (self.canary.port, self.canary.watched) = (Some(port), true);
                self.watched_stale = true;
                self.rewatch();
                let watched = self.watched.iter().any(|watched| watched.port == port);
                let refused = || Problem {
                    error: "the programs' set of ports cannot be written".into(),
                    fix: "run `observer check`".into(),
                };
                answer(reply, watched.then_some(()).ok_or_else(refused));
            }
            Command::CanarySeen(reply) => self.canary.asked = Some(reply),
            Command::CanaryDone { seen } => {
                self.canary.seen = seen;
                self.canary.asked = None;
                // Its port stays known, for events that are still on their way.
                self.canary.watched = false;
                self.watched_stale = true;
            }
            Command::Stop => {}
        }
    }

    fn open_run(&mut self, request: RunRequest) -> Result<Run, Refused> {
        let works = |name: &&str| matches!(self.watches.get(*name), Some(None));
        if WATCHES.iter().all(works) {
            for name in [&request.gateway_service, &request.upstream_service] {
                let service = ServiceName::new(request.namespace.clone(), name.clone());
                if !self.joiner.topology.has_service(&service) {
                    return Err(Refused::Bad(Problem {
                        error: format!("there is no Service {service} in this cluster"),
                        fix: format!("look with `kubectl -n {} get services`", service.namespace),
                    }));
                }
            }
        }
        let losses = self.losses();
        let run = self.runs.open(request, losses, monotonic_ns())?;
        tracing::info!(run = run.id, client = run.client, "run opened");
        self.set_run_parts();
        self.rewatch();
        Ok(run)
    }

    /// Every loss counter.
    pub(super) fn losses(&self) -> BTreeMap<String, u64> {
        let mut losses = self.kernel.counters().lost;
        losses.extend(self.flow.counters().lost());
        losses.extend(self.joiner.tally.losses());
        losses.insert("nat_table_full".into(), self.joiner.nat.overflow());
        losses
    }

    fn status(&self, with_hops: bool) -> Status {
        let kernel = self.kernel.counters();
        let mut counters = kernel.seen;
        counters.extend(self.flow.counters().seen());
        counters.extend(self.joiner.tally.others());
        let (pods, tombstones) = self.joiner.pods.len();
        let levels = [
            ("connections_open", self.flow.open_connections()),
            ("nat_entries", self.joiner.nat.len()),
            ("pods", pods),
            ("pod_tombstones", tombstones),
            ("pod_cgroups", self.joiner.pods.cgroup_count()),
            ("records_waiting", self.joiner.waiting()),
            ("records_bytes", self.runs.bytes()),
        ];
        counters.extend(levels.map(|(name, level)| (name.to_owned(), level as u64)));
        counters.insert("hop_series_overflow".into(), self.hops.overflow());
        let mut cost = self.kernel.cost();
        cost.exchanges = self.flow.counters().exchanges;
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            node: self.config.node.clone(),
            kernel: crate::serve::host::kernel_release(),
            boot_id: crate::serve::host::boot_id(),
            started_ns: self.started_ns,
            now_ns: monotonic_ns(),
            canary_seen: self.canary.seen,
            cgroup: self.config.cgroup.clone(),
            programs: self.kernel.programs(),
            watches: status::watches(&self.watches),
            ports: self.watched.clone(),
            loss: status::loss(self.losses(), kernel.lost.values().sum()),
            cost,
            counters,
            hops: if with_hops { status::hops(&self.hops) } else { Vec::new() },
            runs: self.runs.all(),
        }
    }
}
