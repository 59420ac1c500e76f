//! What an earlier run may have left in the nodes' NAT tables.
//!
//! An unanswered connection attempt leaves an entry that lives for up to two minutes. A later run whose gateway uses
//! that source port again is sent to a pod that is long gone, and reports a failure that is the earlier run's.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::raw::write::write_json;

/// Linux' default for an entry that has seen a SYN and no answer.
pub const ENTRY_LIFE_S: u64 = 120;

/// The last run that lost requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// API server.
    pub server: String,
    /// Namespace.
    pub namespace: String,
    /// Wall clock, ns since 1970.
    pub ended_realtime_ns: u64,
    /// Failed requests.
    pub failed: u64,
}

impl LastRun {
    /// Seconds until its entries are gone; 0 when it is of another cluster or long past.
    pub fn seconds_left(&self, server: &str, namespace: &str, now_realtime_ns: u64) -> u64 {
        let same = self.server == server && self.namespace == namespace && self.failed > 0;
        let age_s = now_realtime_ns.saturating_sub(self.ended_realtime_ns) / 1_000_000_000;
        if same { ENTRY_LIFE_S.saturating_sub(age_s) } else { 0 }
    }
}

fn file(journal_dir: &Path) -> PathBuf {
    journal_dir.with_file_name("last-run.json")
}

/// Reads it. Missing or unreadable: there was none.
pub fn read(journal_dir: &Path) -> Option<LastRun> {
    serde_json::from_slice(&fs::read(file(journal_dir)).ok()?).ok()
}

/// Writes it down for the next run. It is a hint: that it cannot be written harms nobody.
pub fn write(journal_dir: &Path, last: &LastRun) {
    let path = file(journal_dir);
    let made = path.parent().map(fs::create_dir_all);
    if matches!(made, Some(Ok(()))) {
        let _ = write_json(&path, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_run_that_lost_requests_on_this_cluster_matters() {
        let last = LastRun { server: "a".into(), namespace: "n".into(), ended_realtime_ns: 0, failed: 1 };
        assert_eq!(last.seconds_left("a", "n", 20_000_000_000), 100);
        assert_eq!(last.seconds_left("a", "n", 500_000_000_000), 0);
        assert_eq!(last.seconds_left("b", "n", 0), 0);
        assert_eq!(LastRun { failed: 0, ..last }.seconds_left("a", "n", 0), 0);
    }
}
