//! The ledger under churn: pods are deleted one after the other while requests come in, and addresses are used again soon.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use podwitness_cluster::Cluster;
use serde::Serialize;
use serde_json::Value;

use crate::{lab::Lab, run::run};

/// Pods without a hook: requests are lost, and the ledger must say where.
const OVERLAY: &str = "overlays/local-fast-no-hook";

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Churn {
    /// Requests.
    pub requests: u64,
    /// Deletions of serving pods, evenly spread over them.
    pub deletions: u32,
    /// Requests per second.
    pub rate: u32,
    /// Addresses of pods must come back: the subnet is small enough for that.
    pub reuse: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ledger {
    /// Requests sent.
    pub sent: u64,
    /// Requests that failed.
    pub failed: u64,
    /// By cause.
    pub by_cause: BTreeMap<String, u64>,
    /// Requests without a record: must be 0.
    pub unaccounted: Option<u64>,
    /// Joins that disagree: must be 0.
    pub join_conflicts: Option<u64>,
    /// Kernel events lost: must be 0.
    pub events_dropped: Option<u64>,
    /// Answers that name their pod …
    pub pods_compared: Option<u64>,
    /// … and it is the one that the observer names.
    pub pods_agreed: Option<u64>,
    /// Pods deleted.
    pub deletions: u64,
    /// Addresses that more than one pod had during the run.
    pub addresses_used_again: u64,
}

impl Ledger {
    /// Everything that should not be.
    pub fn faults(&self, wanted: &Churn) -> Vec<String> {
        let mut faults = Vec::new();
        let mut zero = |name: &str, value: Option<u64>| match value {
            Some(0) => {}
            Some(value) => faults.push(format!("{name} is {value}")),
            None => faults.push(format!("{name} was not measured")),
        };
        zero("unaccounted", self.unaccounted);
        zero("join_conflicts", self.join_conflicts);
        zero("events_dropped", self.events_dropped);
        zero("causes unknown", Some(self.by_cause.get("unknown").copied().unwrap_or(0)));
        let succeeded = self.sent - self.failed.min(self.sent);
        if self.pods_compared != Some(succeeded) || self.pods_agreed != Some(succeeded) {
            faults.push(format!(
                "of {succeeded} answers {:?} could be compared and {:?} name the observer's pod",
                self.pods_compared, self.pods_agreed
            ));
        }
        if self.sent < wanted.requests {
            faults.push(format!("{} requests were sent, wanted {}", self.sent, wanted.requests));
        }
        if self.deletions < u64::from(wanted.deletions) {
            faults.push(format!("{} pods were deleted, wanted {}", self.deletions, wanted.deletions));
        }
        if wanted.reuse && self.addresses_used_again == 0 {
            faults.push("no address was used again".to_owned());
        }
        faults
    }
}

/// Runs it and reads the ledger.
pub fn churn(cluster: &Cluster, loadgen: &Path, out: &Path, wanted: Churn) -> Result<Ledger> {
    ensure!(wanted.deletions > 0 && wanted.rate > 0, "churn needs a rate and at least one deletion");
    Lab::new(cluster).deploy(OVERLAY)?;
    let folder = folder(out)?;
    let seconds = wanted.requests.div_ceil(u64::from(wanted.rate));
    // The last pods have to go and to be replaced; requests go on until then, and for a little longer.
    let every_ms = (seconds.max(2) * 1_000 / u64::from(wanted.deletions)).max(200);
    let mut command = cluster.client_command(loadgen);
    command.args(["pod-delete", "--pod=oldest", "--before=2s", "--settle=3s"]);
    command.arg(format!("--repeat={}", wanted.deletions)).arg(format!("--every={every_ms}ms"));
    command.arg(format!("--rate={}", wanted.rate)).arg("--out").arg(&folder);
    run(command.stdout(std::process::Stdio::null()))?;
    read(&folder)
}

fn folder(out: &Path) -> Result<PathBuf> {
    let folder = out.join("churn");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    Ok(folder)
}

/// The ledger of a finished run.
pub fn read(folder: &Path) -> Result<Ledger> {
    let text = fs::read_to_string(folder.join("report.json")).context("no report.json")?;
    let report: Value = serde_json::from_str(&text)?;
    let number = |path: &str| report.pointer(path).and_then(Value::as_u64);
    let by_cause = report["ledger"]["by_cause"].as_object();
    let by_cause = by_cause.into_iter().flatten().filter_map(|(cause, n)| Some((cause.clone(), n.as_u64()?))).collect();
    let (Some(sent), Some(failed)) = (number("/ledger/sent"), number("/ledger/failed")) else {
        bail!("the report has no ledger");
    };
    let upstream = |deletion: &&Value| deletion["role"] == "upstream";
    Ok(Ledger {
        sent,
        failed,
        by_cause,
        unaccounted: number("/ledger/unaccounted"),
        join_conflicts: number("/completeness/join_conflicts"),
        events_dropped: number("/completeness/events_dropped"),
        pods_compared: number("/completeness/pod_agreement/compared"),
        pods_agreed: number("/completeness/pod_agreement/agreed"),
        deletions: report["deletions"].as_array().map_or(0, |all| all.iter().filter(upstream).count() as u64),
        addresses_used_again: used_again(&folder.join("raw/timeline.ndjson"))?,
    })
}

/// Addresses that the watch showed at more than one pod.
fn used_again(timeline: &Path) -> Result<u64> {
    let text = fs::read_to_string(timeline).with_context(|| format!("cannot read {}", timeline.display()))?;
    let mut pods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line)?;
        if let (Some("pod"), Some(ip), Some(uid)) =
            (entry["subject"].as_str(), entry["ip"].as_str(), entry["uid"].as_str())
        {
            pods.entry(ip.to_owned()).or_default().insert(uid.to_owned());
        }
    }
    Ok(pods.values().filter(|pods| pods.len() > 1).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_a_fault() {
        let wanted = Churn { requests: 10, deletions: 1, rate: 5, reuse: true };
        let good = Ledger {
            sent: 10,
            failed: 2,
            unaccounted: Some(0),
            join_conflicts: Some(0),
            events_dropped: Some(0),
            pods_compared: Some(8),
            pods_agreed: Some(8),
            deletions: 1,
            addresses_used_again: 1,
            ..Ledger::default()
        };
        assert!(good.faults(&wanted).is_empty(), "{:?}", good.faults(&wanted));
        let silent = Ledger { join_conflicts: None, ..good.clone() };
        assert_eq!(silent.faults(&wanted), ["join_conflicts was not measured"]);
        let wrong_pod = Ledger { pods_agreed: Some(7), addresses_used_again: 0, ..good };
        assert_eq!(wrong_pod.faults(&wanted).len(), 2);
    }
}
