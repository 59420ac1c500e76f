//! Reads how long each pod ran, and how long it had work and no CPU (the kernel's pressure stall information).
//!
//! A busy node makes every pod late, and nothing else that is measured tells that from a pod that is slow by itself; nor one that
//! computes from one that waits for something.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::sampling::Sampler;
use super::walk::{self, Within};
use crate::record::PRESSURE_LEAST_PART;

/// How a pod fared between two readings. What the kernel does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fared {
    /// UID of the pod.
    pub uid: Arc<str>,
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// It had work and no CPU.
    pub waited_us: Option<u64>,
    /// It ran, summed over CPUs.
    pub ran_us: Option<u64>,
}

/// What the kernel has counted so far.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    waited_us: Option<u64>,
    ran_us: Option<u64>,
}

impl Totals {
    fn since(self, before: Self) -> Self {
        let grown = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Self { waited_us: grown(self.waited_us, before.waited_us), ran_us: grown(self.ran_us, before.ran_us) }
    }

    fn any(self, is_wanted: impl Fn(u64) -> bool) -> bool {
        [self.waited_us, self.ran_us].into_iter().flatten().any(is_wanted)
    }
}

/// The reading before of one pod.
#[derive(Debug)]
struct Last {
    totals: Totals,
    /// Something was told of it.
    told: bool,
}

/// The pods below a cgroup2 directory.
#[derive(Debug)]
pub struct Pressure {
    root: PathBuf,
    pods: Vec<(PathBuf, Arc<str>)>,
    at_ns: u64,
    last: HashMap<Arc<str>, Last>,
}

impl Pressure {
    /// None found yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root, pods: Vec::new(), at_ns: 0, last: HashMap::new() }
    }

    /// A pod's first interval is told whatever it is: from then on what is not told was short.
    fn compare(&mut self, totals: Vec<(Arc<str>, Totals)>, at_ns: u64) -> Vec<Fared> {
        let from_ns = std::mem::replace(&mut self.at_ns, at_ns);
        let least_us = at_ns.saturating_sub(from_ns) / 1_000 / PRESSURE_LEAST_PART;
        let mut told = Vec::new();
        let mut last = HashMap::with_capacity(totals.len());
        for (uid, totals) in totals {
            // A pod that is seen for the first time has no reading before.
            let before = self.last.get(&uid);
            let grown = before.map_or(Totals::default(), |before| totals.since(before.totals));
            let told_before = before.is_some_and(|before| before.told);
            let is_told = grown.any(|us| !told_before || us > least_us);
            if is_told {
                let Totals { waited_us, ran_us } = grown;
                told.push(Fared { uid: Arc::clone(&uid), from_ns, to_ns: at_ns, waited_us, ran_us });
            }
            last.insert(uid, Last { totals, told: told_before || is_told });
        }
        self.last = last;
        told
    }
}

impl Sampler for Pressure {
    type Told = Fared;
    /// The kernel counts in parts of its own clock, up to 10 ms each; what is shorter between two readings it leaves out.
    const PERIOD: Duration = Duration::from_millis(50);

    fn search(&mut self) {
        self.pods.clear();
        // A tree that cannot be read has no pods.
        let _ = walk::pods(&self.root, |entry, uid| {
            self.pods.push((entry.path(), Arc::clone(uid)));
            Within::Skip
        });
    }

    fn read(&mut self, at_ns: u64) -> Vec<Fared> {
        let totals = self.pods.iter().map(|(path, uid)| (Arc::clone(uid), totals(path))).collect();
        self.compare(totals, at_ns)
    }
}

/// A directory that has vanished since the search tells nothing; nor does a kernel without pressure stall information of waits.
fn totals(directory: &Path) -> Totals {
    let read = |name| fs::read_to_string(directory.join(name)).ok();
    Totals {
        waited_us: read("cpu.pressure").and_then(|text| waited(&text)),
        ran_us: read("cpu.stat").and_then(|text| ran(&text)),
    }
}

/// What `cpu.stat` tells of each cgroup, with a limit or without.
fn ran(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()
}

/// The total of the line `full`: time in which something of the pod could run and nothing of it did. The line `some` counts
/// also what waits behind another thread of the same pod.
fn waited(text: &str) -> Option<u64> {
    let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
    full.split(' ').find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UID: &str = "0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60";

    #[test]
    fn the_time_without_any_cpu_is_read() {
        let text = "some avg10=14.66 avg60=15.05 avg300=14.51 total=122073030\nfull avg10=9.74 avg60=9.90 avg300=9.57 total=81892533\n";
        assert_eq!(waited(text), Some(81_892_533));
        assert_eq!(waited("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"), None);
    }

    #[test]
    fn each_pod_is_found_once_and_what_is_not_short_is_told() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("kubepods/burstable/pod{UID}"));
        fs::create_dir_all(pod.join("container")).unwrap();
        let mut pressure = Pressure::new(root.path().to_owned());
        pressure.search();
        assert_eq!(pressure.pods, [(pod.clone(), Arc::from(UID))]);
        let write = |waited_us: u64, ran_us: u64| {
            let avg = "avg10=0.00 avg60=0.00 avg300=0.00";
            fs::write(pod.join("cpu.pressure"), format!("some {avg} total=9\nfull {avg} total={waited_us}\n")).unwrap();
            fs::write(pod.join("cpu.stat"), format!("usage_usec {ran_us}\nuser_usec 1\nsystem_usec 1\n")).unwrap();
        };
        let fared = |at_ms: u64, waited_us: u64, ran_us: u64| Fared {
            uid: Arc::from(UID),
            from_ns: (at_ms - 50) * 1_000_000,
            to_ns: at_ms * 1_000_000,
            waited_us: Some(waited_us),
            ran_us: Some(ran_us),
        };
        assert!(pressure.read(50_000_000).is_empty(), "the kernel does not tell");
        write(1_000, 0);
        assert!(pressure.read(100_000_000).is_empty(), "there is no reading before");
        write(1_002, 3);
        assert_eq!(pressure.read(150_000_000), [fared(150, 2, 3)], "the first is told, however short");
        write(1_005, 5_003);
        assert!(pressure.read(200_000_000).is_empty(), "no more than a tenth");
        write(41_005, 5_003);
        assert_eq!(pressure.read(250_000_000), [fared(250, 40_000, 0)]);
        write(41_005, 10_004);
        assert_eq!(pressure.read(300_000_000), [fared(300, 0, 5_001)]);
    }

    #[test]
    fn a_kernel_without_pressure_still_tells_what_ran() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("pod{UID}"));
        fs::create_dir_all(&pod).unwrap();
        let mut pressure = Pressure::new(root.path().to_owned());
        pressure.search();
        let mut read = |at_ns: u64, ran_us: u64| {
            fs::write(pod.join("cpu.stat"), format!("usage_usec {ran_us}\n")).unwrap();
            pressure.read(at_ns).into_iter().map(|fared| (fared.waited_us, fared.ran_us)).collect::<Vec<_>>()
        };
        assert!(read(1_000_000, 7).is_empty());
        assert_eq!(read(2_000_000, 907), [(None, Some(900))]);
    }
}
