//! What the watches and conntrack tell.

use super::Core;
use crate::clock::monotonic_ns;
use crate::nat::conntrack;
use crate::pods::pressure::Fared;
use crate::pods::throttling::Stopped;
use crate::pods::watch::{self, Change};
use crate::record::{PodRef, Pressure, Record, Throttling};

/// Name of conntrack among the watches.
pub const CONNTRACK: &str = "conntrack";

impl Core {
    pub(super) fn take_watch(&mut self, report: watch::Report) {
        match report {
            watch::Report::Health { watch, problem } => {
                self.watches.insert(watch, problem);
                let works = |name: &&str| matches!(self.watches.get(*name), Some(None));
                self.joiner.set_pods_watched(watch::WATCHES.iter().all(works));
            }
            watch::Report::Changed { change, at_ns } => self.take_change(change, at_ns),
        }
    }

    fn take_change(&mut self, change: Change, at_ns: u64) {
        let (pods, topology) = (&mut self.joiner.pods, &mut self.joiner.topology);
        match change {
            Change::Pod(state) => {
                pods.apply(state, at_ns);
                if let Some(scan) = &self.scan {
                    // Its containers' cgroups have just been made, or are about to vanish.
                    scan.soon();
                }
                return;
            }
            Change::PodGone(uid) => return pods.delete(&uid, at_ns),
            Change::PodsListed(uids) => return pods.retain(&uids, at_ns),
            Change::Service(name, state) => topology.apply_service(name, state),
            Change::ServiceGone(name) => topology.delete_service(&name),
            Change::ServicesListed(names) => topology.retain_services(&names),
            Change::Slice((namespace, name), state) => topology.apply_slice(&namespace, &name, state),
            Change::SliceGone((namespace, name)) => topology.delete_slice(&namespace, &name),
            Change::SlicesListed(names) => topology.retain_slices(&names),
        }
        self.watched_stale = true;
    }

    /// Keeps it for the open run.
    pub(super) fn take_stopped(&mut self, stopped: Vec<Stopped>) {
        for it in stopped {
            let Some(pod) = self.pod_of_run(&it.uid) else { continue };
            let record = Throttling {
                node: self.config.node.clone(),
                pod,
                from_ns: it.from_ns,
                to_ns: it.to_ns,
                stopped_us: it.stopped_us,
                stopped_sum_us: it.stopped_sum_us,
                periods: it.periods,
                quota_us: it.quota_us,
                period_us: it.period_us,
            };
            self.runs.push(&Record::Throttling(record), false);
        }
    }

    /// Keeps it for the open run.
    pub(super) fn take_fared(&mut self, fared: Vec<Fared>) {
        for Fared { uid, from_ns, to_ns, waited_us, ran_us } in fared {
            let Some(pod) = self.pod_of_run(&uid) else { continue };
            let record = Pressure { node: self.config.node.clone(), pod, from_ns, to_ns, waited_us, ran_us };
            self.runs.push(&Record::Pressure(record), false);
        }
    }

    /// A pod of this node in the run's namespace. Other nodes' agents may see the same kernel.
    fn pod_of_run(&self, uid: &str) -> Option<PodRef> {
        let gateway = self.runs.parts().and_then(|parts| parts.gateway.as_ref());
        let pod = self.joiner.pods.by_uid(uid)?;
        let ours = gateway.is_some_and(|service| service.namespace == pod.namespace);
        (ours && self.joiner.pods.has_cgroup_of(uid)).then(|| PodRef::clone(pod))
    }

    pub(super) fn take_conntrack(&mut self) {
        while let Ok(report) = self.inputs.conntrack.try_recv() {
            self.take_conntrack_report(report);
        }
    }

    fn take_conntrack_report(&mut self, report: conntrack::Report) {
        match report {
            conntrack::Report::Batch { learned, read_until_ns } => {
                let now_ns = monotonic_ns();
                for learned in learned {
                    self.joiner.learned(learned, now_ns);
                }
                if read_until_ns.is_some() {
                    self.watches.insert(CONNTRACK, None);
                    self.joiner.set_nat_read_until(read_until_ns);
                }
            }
            conntrack::Report::Overflow => self.joiner.tally.lost("conntrack_overflow"),
            conntrack::Report::Unparsed => self.joiner.tally.lost("conntrack_unparsed"),
            conntrack::Report::Failed(error) => {
                tracing::warn!(%error, "conntrack can be read no longer: the choice of the Service is not known from here on");
                self.watches.insert(CONNTRACK, Some(error.to_string()));
                self.joiner.set_nat_read_until(None);
            }
        }
    }
}
