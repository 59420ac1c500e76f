//! Tells "not a pod's cgroup" from "a pod's cgroup that the last scan was too early for".

use std::collections::HashMap;

/// Cgroups of sockets remembered at once. A node has a few hundred.
const REMEMBERED_MAX: usize = 16_384;

/// Cgroup ids that no scan has shown to be a pod's, with when they were first met.
#[derive(Debug, Default)]
pub struct CgroupWait {
    met: HashMap<u64, u64>,
    /// The latest scan began at.
    scanned_ns: Option<u64>,
    latest_met_ns: u64,
}

impl CgroupWait {
    /// A scan that began then is complete.
    pub fn scanned(&mut self, started_ns: u64) {
        self.scanned_ns = Some(started_ns);
    }

    /// A socket that lived at `now_ns` has this cgroup, and no scan has shown it. Whether a scan that began after we first
    /// met it has not shown it either: then it belongs to no pod.
    pub fn is_foreign(&mut self, cgroup_id: u64, now_ns: u64) -> bool {
        let met_ns = *self.met.entry(cgroup_id).or_insert_with(|| {
            self.latest_met_ns = now_ns;
            now_ns
        });
        self.scanned_ns.is_some_and(|scanned| scanned > met_ns)
    }

    /// A scan would settle something.
    pub fn wants_scan(&self) -> bool {
        self.latest_met_ns > 0 && self.scanned_ns.is_none_or(|scanned| scanned <= self.latest_met_ns)
    }

    /// Starts anew when too much is remembered: the next scan settles it again.
    pub fn forget(&mut self) {
        if self.met.len() > REMEMBERED_MAX {
            self.met.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_scan_that_began_later_makes_a_cgroup_foreign() {
        let mut wait = CgroupWait::default();
        wait.scanned(50);
        assert!(!wait.wants_scan());
        assert!(!wait.is_foreign(7, 100));
        assert!(wait.wants_scan());
        wait.scanned(90);
        assert!(!wait.is_foreign(7, 110), "that scan began before we met it");
        wait.scanned(120);
        assert!(wait.is_foreign(7, 130));
        assert!(!wait.wants_scan());
    }
}
