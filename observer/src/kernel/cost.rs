//! What the observer itself costs: its process, and its programs in the kernel.

use std::{fs, os::fd::OwnedFd, time::Instant};

use aya::{Ebpf, sys::Stats};

use super::{fdinfo, programs};
use crate::api::Cost;

const STATS_SYSCTL: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Where counting began.
#[derive(Debug)]
pub(super) struct Meter {
    since: Instant,
    cpu_ns_before: u64,
    /// Keeps the kernel's statistics on.
    _stats: Option<OwnedFd>,
    measured: bool,
}

impl Meter {
    /// Starts counting; with `programs`, asks the kernel to time the programs.
    pub(super) fn start(programs: bool) -> Self {
        let stats = programs.then(|| aya::sys::enable_stats(Stats::RunTime).ok()).flatten();
        let sysctl = fs::read_to_string(STATS_SYSCTL).is_ok_and(|value| value.trim() == "1");
        Self { since: Instant::now(), cpu_ns_before: cpu_ns(), measured: stats.is_some() || sysctl, _stats: stats }
    }

    /// The cost since then. `exchanges` is for the caller to fill.
    pub(super) fn read(&self, ebpf: &Ebpf) -> Cost {
        let (bpf_ns, bpf_runs) = if self.measured { run_times(ebpf) } else { (None, None) };
        Cost {
            cpu_ns: cpu_ns().saturating_sub(self.cpu_ns_before),
            wall_ns: self.since.elapsed().as_nanos() as u64,
            rss_bytes: rss_bytes(),
            bpf_ns,
            bpf_runs,
            exchanges: 0,
        }
    }
}

/// Run time and runs of all loaded programs together.
fn run_times(ebpf: &Ebpf) -> (Option<u64>, Option<u64>) {
    let mut total = (None, None);
    for (ns, runs) in per_program(ebpf).into_iter().map(|(_, ns, runs)| (ns, runs)) {
        total = (Some(total.0.unwrap_or(0) + ns), Some(total.1.unwrap_or(0) + runs));
    }
    total
}

/// Name, run time in nanoseconds and runs of each loaded program.
pub(super) fn per_program(ebpf: &Ebpf) -> Vec<(&'static str, u64, u64)> {
    programs::TABLE
        .iter()
        .filter_map(|spec| {
            let info = fdinfo::of(ebpf, spec.name)?;
            Some((spec.name, fdinfo::number(&info, "run_time_ns")?, fdinfo::number(&info, "run_cnt")?))
        })
        .collect()
}

fn cpu_ns() -> u64 {
    let ticks = procfs::process::Process::myself().and_then(|me| me.stat()).map_or(0, |stat| stat.utime + stat.stime);
    ticks * 1_000_000_000 / procfs::ticks_per_second()
}

fn rss_bytes() -> u64 {
    procfs::process::Process::myself().and_then(|me| me.statm()).map_or(0, |memory| memory.resident)
        * procfs::page_size()
}
