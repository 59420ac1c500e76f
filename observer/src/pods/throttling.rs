//! Reads how long CPU limits have stopped each pod, up to fifty times a second while a run is open.
//!
//! The kubelet's own metrics are ten seconds apart, which explains no single request.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cgroup_mount;
use super::sampling::Sampler;
use super::walk::{self, Within};

/// What `cpu.stat` has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reading {
    periods: u64,
    stopped_us: u64,
}

/// A cgroup of a pod with a CPU limit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limited {
    path: PathBuf,
    uid: Arc<str>,
    limit: Limit,
}

/// So much CPU time in each period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limit {
    quota_us: u64,
    period_us: u64,
}

/// A pod was stopped between two readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// UID of the pod.
    pub uid: Arc<str>,
    /// The reading before.
    pub from_ns: u64,
    /// The reading after.
    pub to_ns: u64,
    /// In between, summed over CPUs: of the cgroup that was stopped longest.
    pub stopped_us: u64,
    /// Summed over the pod's cgroups.
    pub stopped_sum_us: u64,
    /// Scheduling periods.
    pub periods: u64,
    /// What the limit of the cgroup that was stopped longest allows in a period, summed over CPUs.
    pub quota_us: u64,
    /// Its period.
    pub period_us: u64,
}

/// Every pod cgroup with a limit.
#[derive(Debug, Default)]
pub struct Throttling {
    /// Where limits are does not change while a run is open; looking for it reads every tree.
    root: Option<PathBuf>,
    limited: Vec<Limited>,
    last: Last,
}

impl Sampler for Throttling {
    type Told = Stopped;
    /// A stop is counted when it ends: so well is its end known. A fifth of the scheduler's usual period.
    const PERIOD: Duration = Duration::from_millis(20);

    fn search(&mut self) {
        self.root = self.root.take().or_else(cgroup_mount::cpu);
        self.limited = self.root.as_deref().map(search).unwrap_or_default();
    }

    fn read(&mut self, at_ns: u64) -> Vec<Stopped> {
        // A directory that has vanished since the search gives nothing.
        let readings = self.limited.iter().filter_map(|limited| Some((limited, parse(&read(&limited.path)?)?)));
        self.last.compare(readings, at_ns)
    }
}

fn read(directory: &Path) -> Option<String> {
    fs::read_to_string(directory.join("cpu.stat")).ok()
}

/// The readings before.
#[derive(Debug, Default)]
struct Last {
    at_ns: u64,
    of: HashMap<PathBuf, Reading>,
}

impl Last {
    /// Who was stopped since. A pod and its containers have limits of their own, and stops of two can take turns or fall
    /// together: the longest is the least that it was, the sum the most.
    fn compare<'r>(&mut self, readings: impl Iterator<Item = (&'r Limited, Reading)>, at_ns: u64) -> Vec<Stopped> {
        let mut stopped: HashMap<&Arc<str>, (Reading, Limit, u64)> = HashMap::new();
        let mut now = HashMap::new();
        for (Limited { path, uid, limit }, reading) in readings {
            now.insert(path.clone(), reading);
            // A cgroup that is seen for the first time has no reading before.
            let Some(before) = self.of.get(path) else { continue };
            let grown = Reading {
                periods: reading.periods.saturating_sub(before.periods),
                stopped_us: reading.stopped_us.saturating_sub(before.stopped_us),
            };
            if grown.stopped_us > 0 {
                let (longest, its_limit, sum_us) = stopped.entry(uid).or_default();
                *sum_us += grown.stopped_us;
                if grown.stopped_us > longest.stopped_us {
                    (*longest, *its_limit) = (grown, *limit);
                }
            }
        }
        self.of = now;
        let from_ns = std::mem::replace(&mut self.at_ns, at_ns);
        let told = stopped.into_iter().map(|(uid, (longest, limit, stopped_sum_us))| Stopped {
            uid: Arc::clone(uid),
            from_ns,
            to_ns: at_ns,
            stopped_us: longest.stopped_us,
            stopped_sum_us,
            periods: longest.periods,
            quota_us: limit.quota_us,
            period_us: limit.period_us,
        });
        told.collect()
    }
}

/// `cpu.stat` of either version: `throttled_usec` (2) or `throttled_time` in nanoseconds (1). Pure.
fn parse(text: &str) -> Option<Reading> {
    let number = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.trim().parse::<u64>().ok()
    };
    let stopped_us = number("throttled_usec").or_else(|| number("throttled_time").map(|ns| ns / 1_000))?;
    Some(Reading { periods: number("nr_throttled")?, stopped_us })
}

/// Every cgroup below `root` that belongs to a pod and has a CPU limit.
fn search(root: &Path) -> Vec<Limited> {
    let mut found = Vec::new();
    // A tree that cannot be read has none.
    let _ = walk::pods(root, |entry, uid| {
        let path = entry.path();
        if let Some(limit) = limit(&path) {
            found.push(Limited { path, uid: Arc::clone(uid), limit });
        }
        Within::Walk
    });
    found
}

/// `cpu.max` (2) is `QUOTA PERIOD`, or `max PERIOD` without a limit; `cpu.cfs_quota_us` (1) is -1 without one.
fn limit(directory: &Path) -> Option<Limit> {
    let text = |name: &str| fs::read_to_string(directory.join(name)).ok();
    let (quota, period) = match text("cpu.max") {
        Some(max) => max.trim().split_once(' ').map(|(quota, period)| (quota.to_owned(), period.to_owned()))?,
        None => (text("cpu.cfs_quota_us")?, text("cpu.cfs_period_us")?),
    };
    Some(Limit { quota_us: quota.trim().parse().ok()?, period_us: period.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UID: &str = "0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60";

    #[test]
    fn both_versions_are_read() {
        let two = "usage_usec 900\nuser_usec 800\nnr_periods 7\nnr_throttled 3\nthrottled_usec 4500\nnr_bursts 0\n";
        assert_eq!(parse(two), Some(Reading { periods: 3, stopped_us: 4_500 }));
        let one = "nr_periods 7\nnr_throttled 3\nthrottled_time 4500999\n";
        assert_eq!(parse(one), Some(Reading { periods: 3, stopped_us: 4_500 }));
        // The root's own file has no limit to tell of.
        assert_eq!(parse("usage_usec 900\nuser_usec 800\n"), None);
    }

    #[test]
    fn pods_with_a_limit_are_found() {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("node0/kubepods/burstable/pod{UID}"));
        let (limited, free) = (pod.join("a"), pod.join("b"));
        for directory in [&limited, &free] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(pod.join("cpu.max"), "max 100000\n").unwrap();
        fs::write(limited.join("cpu.max"), "5000 100000\n").unwrap();
        fs::write(free.join("cpu.cfs_quota_us"), "-1\n").unwrap();
        fs::write(free.join("cpu.cfs_period_us"), "100000\n").unwrap();
        let found = search(root.path());
        let limit = Limit { quota_us: 5_000, period_us: 100_000 };
        assert_eq!(found, [Limited { path: limited, uid: Arc::from(UID), limit }]);
        fs::write(free.join("cpu.cfs_quota_us"), "20000\n").unwrap();
        assert_eq!(super::limit(&free), Some(Limit { quota_us: 20_000, ..limit }));
    }

    #[test]
    fn what_has_grown_is_told_with_both_bounds() {
        let uid: Arc<str> = Arc::from(UID);
        let limited = |path: &str, quota_us| {
            let limit = Limit { quota_us, period_us: 100_000 };
            Limited { path: PathBuf::from(path), uid: Arc::clone(&uid), limit }
        };
        let (pod, container) = (limited("/pod", 30_000), limited("/pod/a", 20_000));
        let at = |us: [u64; 2]| {
            [(&pod, us[0]), (&container, us[1])].map(|(of, stopped_us)| (of, Reading { periods: 1, stopped_us }))
        };
        let mut last = Last::default();
        let mut compare = |us, at_ns| last.compare(at(us).into_iter(), at_ns);
        assert!(compare([500, 100], 10).is_empty(), "the first reading has none before it");
        assert!(compare([500, 100], 20).is_empty());
        let stopped = compare([530, 190], 30);
        let expected = Stopped {
            uid: Arc::clone(&uid),
            from_ns: 20,
            to_ns: 30,
            stopped_us: 90,
            stopped_sum_us: 120,
            periods: 0,
            quota_us: 20_000,
            period_us: 100_000,
        };
        assert_eq!(stopped, [expected]);
    }
}
