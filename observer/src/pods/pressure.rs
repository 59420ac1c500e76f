//! Reads how long each pod had work and no CPU: the kernel's pressure stall information.
//!
//! A busy node makes every pod late, and nothing else that is measured tells that from a pod that is slow by itself.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cgroup_name::pod_uid;
use super::sampling::{MAX_DEPTH, Sampler};

/// Shorter than this part of the time between two readings a wait is not told: nobody is late by it.
const LEAST_PART: u64 = 10;

/// A pod had work and no CPU between two readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// UID of the pod.
    pub uid: Arc<str>,
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// For so long.
    pub waited_us: u64,
}

/// The pods below a cgroup2 directory.
#[derive(Debug)]
pub struct Pressure {
    root: PathBuf,
    pods: Vec<(PathBuf, Arc<str>)>,
    at_ns: u64,
    last: HashMap<Arc<str>, u64>,
}

impl Pressure {
    /// None found yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root, pods: Vec::new(), at_ns: 0, last: HashMap::new() }
    }

    fn compare(&mut self, totals: Vec<(Arc<str>, u64)>, at_ns: u64) -> Vec<Waited> {
        let from_ns = std::mem::replace(&mut self.at_ns, at_ns);
        let least_us = at_ns.saturating_sub(from_ns) / 1_000 / LEAST_PART;
        let grown = totals.iter().filter_map(|(uid, total_us)| {
            // A pod that is seen for the first time has no reading before.
            let waited_us = total_us.saturating_sub(*self.last.get(uid)?);
            (waited_us > least_us).then(|| Waited { uid: Arc::clone(uid), from_ns, to_ns: at_ns, waited_us })
        });
        let told = grown.collect();
        self.last = totals.into_iter().collect();
        told
    }
}

impl Sampler for Pressure {
    type Told = Waited;
    /// The kernel counts in parts of its own clock, up to 10 ms each; what is shorter between two readings it leaves out.
    const PERIOD: Duration = Duration::from_millis(50);

    fn search(&mut self) {
        self.pods.clear();
        visit(&self.root, 0, &mut self.pods);
    }

    fn read(&mut self, at_ns: u64) -> Vec<Waited> {
        // A directory that has vanished since the search gives nothing; nor does a kernel without pressure stall information.
        let total = |path: &Path| parse(&fs::read_to_string(path.join("cpu.pressure")).ok()?);
        let totals = self.pods.iter().filter_map(|(path, uid)| Some((Arc::clone(uid), total(path)?))).collect();
        self.compare(totals, at_ns)
    }
}

/// The total of the line `full`: time in which something of the pod could run and nothing of it did. The line `some` counts
/// also what waits behind another thread of the same pod.
fn parse(text: &str) -> Option<u64> {
    let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
    full.split(' ').find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// Pods' own directories; those of their containers are within.
fn visit(directory: &Path, depth: usize, found: &mut Vec<(PathBuf, Arc<str>)>) {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(uid) = pod_uid(name) {
        found.push((directory.to_owned(), Arc::from(uid)));
        return;
    }
    if depth >= MAX_DEPTH {
        return;
    }
    // An error is a directory that vanished while we were reading: normal.
    for child in fs::read_dir(directory).into_iter().flatten().flatten() {
        if child.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&child.path(), depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UID: &str = "0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60";

    #[test]
    fn the_time_without_any_cpu_is_read() {
        let text = "some avg10=14.66 avg60=15.05 avg300=14.51 total=122073030\nfull avg10=9.74 avg60=9.90 avg300=9.57 total=81892533\n";
        assert_eq!(parse(text), Some(81_892_533));
        assert_eq!(parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"), None);
    }

    #[test]
    fn each_pod_is_found_once_and_its_longer_waits_are_told() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("kubepods/burstable/pod{UID}"));
        fs::create_dir_all(pod.join("container")).unwrap();
        let mut pressure = Pressure::new(root.path().to_owned());
        pressure.search();
        assert_eq!(pressure.pods, [(pod.clone(), Arc::from(UID))]);
        let write = |total_us: u64| {
            let text = format!(
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={total_us}\n"
            );
            fs::write(pod.join("cpu.pressure"), text).unwrap();
        };
        assert!(pressure.read(50_000_000).is_empty(), "the kernel does not tell");
        write(1_000);
        assert!(pressure.read(100_000_000).is_empty(), "there is no reading before");
        write(41_000);
        let waited = Waited { uid: Arc::from(UID), from_ns: 100_000_000, to_ns: 150_000_000, waited_us: 40_000 };
        assert_eq!(pressure.read(150_000_000), [waited]);
        write(44_000);
        assert!(pressure.read(200_000_000).is_empty(), "3 of 50 ms");
    }
}
