//! Loading and attaching.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Array, MapData, MapError, PerCpuArray, RingBuf},
};

use super::{Counters, Drained, Event, OBJECT, cost::Meter, features, log::ProgramLog, ports::Ports, programs, ring};
use crate::api::{Cost, ProgramStatus};

/// Records handed on by one [`Kernel::drain`] at most.
const DRAIN_MOST: u64 = 200_000;

/// What to load, and where to attach it.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// A directory of the cgroup2 hierarchy: sockets of processes below it are seen.
    pub cgroup: PathBuf,
    /// Let the kernel measure the run time of the programs (needs `CAP_SYS_ADMIN`, or the sysctl
    /// `kernel.bpf_stats_enabled=1`). Without it the cost of the programs is not measured.
    pub measure_cost: bool,
    /// Programs that are not attached, though the kernel would take them: to see what is lost without them.
    pub leave_out: &'static [&'static str],
}

/// Why the programs could not be loaded. The message names the fix.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The cgroup directory cannot be opened.
    #[error("cannot open the cgroup {path}: {source}; name the node's cgroup2 mount (`observer check` finds it)")]
    Cgroup {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no cgroup2 directory.
    #[error("{0} is no cgroup2 directory; on a host with both hierarchies it is usually /sys/fs/cgroup/unified")]
    NotCgroup2(PathBuf),
    /// The kernel tells no types.
    #[error("the kernel has no BTF at {path}: {source}; use a kernel built with CONFIG_DEBUG_INFO_BTF=y", path = features::VMLINUX_BTF)]
    NoBtf {
        /// What was wrong.
        source: aya::BtfError,
    },
    /// The object was refused as a whole.
    #[error(
        "the kernel refused the eBPF object: {source:#}; it takes root, or the capabilities BPF, PERFMON and NET_ADMIN"
    )]
    Object {
        /// What was wrong.
        #[from]
        source: aya::EbpfError,
    },
    /// A program that the agent cannot do without was refused.
    #[error(
        "the program {name} could not be attached at {hook}: {reason}; it takes Linux {since} or newer and root, or the capabilities BPF, PERFMON and NET_ADMIN"
    )]
    Required {
        /// Its name.
        name: &'static str,
        /// Its hook.
        hook: String,
        /// Why.
        reason: String,
        /// Oldest kernel that has the hook.
        since: &'static str,
    },
    /// A map of the object is missing or of another type.
    #[error("the eBPF object does not fit this agent: {0}; build both from the same source")]
    Map(#[from] MapError),
    /// A map of the object is missing.
    #[error("the eBPF object has no map {0}; build agent and object from the same source")]
    NoMap(&'static str),
}

/// The loaded and attached programs. Dropping it detaches them.
pub struct Kernel {
    ebpf: Ebpf,
    events: RingBuf<MapData>,
    counters: PerCpuArray<MapData, u64>,
    ports: Ports,
    log: ProgramLog,
    /// Why a program is not attached; in the order of the table.
    problems: Vec<Option<String>>,
    meter: Meter,
}

impl Kernel {
    /// Loads every program and attaches it.
    pub fn load(options: &LoadOptions) -> Result<Self, LoadError> {
        let cgroup = open_cgroup2(&options.cgroup)?;
        let btf = Btf::from_sys_fs().map_err(|source| LoadError::NoBtf { source })?;
        let facts = features::facts();
        let mut loader = EbpfLoader::new();
        loader.btf(Some(&btf));
        for (name, value) in &facts {
            loader.override_global(name, value, true);
        }
        let mut ebpf = loader.load(OBJECT)?;
        let events = RingBuf::try_from(take(&mut ebpf, "EVENTS")?)?;
        let counters = PerCpuArray::try_from(take(&mut ebpf, "COUNTERS")?)?;
        let ports = Ports::new(Array::try_from(take(&mut ebpf, "PORTS")?)?);

        let log = ProgramLog::of(&mut ebpf);

        let mut problems = Vec::new();
        for spec in programs::TABLE {
            if options.leave_out.contains(&spec.name) {
                problems.push(Some("left out".into()));
                continue;
            }
            let problem = programs::attach(&mut ebpf, spec, &btf, &cgroup).err().map(|error| said(&error));
            if let (true, Some(reason)) = (spec.required, &problem) {
                return Err(LoadError::Required {
                    name: spec.name,
                    hook: spec.hook.name(),
                    reason: reason.clone(),
                    since: spec.since,
                });
            }
            problems.push(problem);
        }
        Ok(Self { ebpf, events, counters, ports, log, problems, meter: Meter::start(options.measure_cost) })
    }

    /// Replaces the set of watched ports. A connection that exists already on a new port is followed from its next message
    /// on; one on a port that is watched no longer tells only its end.
    pub fn watch_ports(&mut self, ports: &[u16]) -> Result<(), LoadError> {
        Ok(self.ports.replace(ports)?)
    }

    /// Hands on what waits in the ring buffer, in causal order. Never blocks: call it by a timer (10–20 ms), or when the
    /// file descriptor is readable, which it becomes once a quarter of the ring is full.
    pub fn drain(&mut self, each: impl FnMut(&Event<'_>)) -> Drained {
        self.log.flush();
        ring::drain(&mut self.events, DRAIN_MOST, each)
    }

    /// Verdict of each program.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        programs::TABLE
            .iter()
            .zip(&self.problems)
            .map(|(spec, problem)| programs::status(spec, problem.as_deref()))
            .collect()
    }

    /// Whether socket calls of threads are told ([`crate::flow::FlowConfig::calls`]).
    pub fn tells_calls(&self) -> bool {
        ["pw_recv", "pw_send"].into_iter().all(|name| self.is_attached(name))
    }

    fn is_attached(&self, name: &str) -> bool {
        let mut programs = programs::TABLE.iter().zip(&self.problems);
        programs.any(|(spec, problem)| spec.name == name && problem.is_none())
    }

    /// The kernel side's counters: what was lost, and what is worth knowing.
    pub fn counters(&self) -> Counters {
        Counters::read(&self.counters, &self.ebpf, |name| self.is_attached(name))
    }

    /// What the programs and this process have cost since load. `exchanges` is left 0.
    pub fn cost(&self) -> Cost {
        self.meter.read(&self.ebpf)
    }

    /// Name, run time in nanoseconds and runs of each program, where the kernel measures it.
    pub fn program_costs(&self) -> Vec<(&'static str, u64, u64)> {
        super::cost::per_program(&self.ebpf)
    }
}

impl AsFd for Kernel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

fn open_cgroup2(path: &PathBuf) -> Result<File, LoadError> {
    let cgroup = File::open(path).map_err(|source| LoadError::Cgroup { path: path.clone(), source })?;
    let is_cgroup2 = nix::sys::statfs::fstatfs(&cgroup)
        .is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC);
    if is_cgroup2 { Ok(cgroup) } else { Err(LoadError::NotCgroup2(path.clone())) }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::NoMap(name))
}

/// An error with its causes; a verifier's long log is cut to its end, where the reason stands.
fn said(error: &dyn std::error::Error) -> String {
    const MOST: usize = 600;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    match text.char_indices().rev().nth(MOST) {
        Some((cut, _)) => format!("…{}", &text[cut..]),
        None => text,
    }
}
