//! The thread that owns everything: it drains the kernel's events, takes what the other threads tell, and answers.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

mod closing;
mod commands;
mod intake;
mod outcome;
mod watching;

use super::hops::Hops;
use super::input::{Command, Input, Reply};
use super::joiner::{Joined, Joiner};
use crate::api::WatchedPort;
use crate::clock::monotonic_ns;
use crate::flow::{FlowConfig, FlowTable, Output};
use crate::kernel::Kernel;
use crate::nat::conntrack;
use crate::pods::Topology;
use crate::pods::cgroups::ScanRequest;
use crate::ports::PortSet;
use crate::runs::RunStore;
use closing::Closing;

/// While events flow the ring buffer is read this often: late enough to save wake-ups, early enough for a small ring.
const BUSY_PERIOD: Duration = Duration::from_millis(5);
/// Without events.
const IDLE_PERIOD: Duration = Duration::from_millis(20);
/// Drains without an event before it is called idle.
const IDLE_AFTER: u32 = 50;
/// Housekeeping.
const FORGET_PERIOD_NS: u64 = 1_000_000_000;
/// Reports of conntrack that wait; beyond that its reader waits, and the kernel's own queue holds them.
const CONNTRACK_QUEUE: usize = 1_024;

/// What the core needs to know.
#[derive(Debug)]
pub struct CoreConfig {
    /// Node name.
    pub node: String,
    /// The cgroup that the programs are attached to.
    pub cgroup: String,
    /// Services to watch.
    pub topology: Topology,
    /// Memory for the records of runs.
    pub records_max_bytes: usize,
    /// Watches that are not there at all, with the reason.
    pub absent: BTreeMap<&'static str, String>,
    /// Shared with the reader of conntrack.
    pub ports: Arc<PortSet>,
    /// Shared with the reader of CPU limits: a run is open.
    pub run_open: Arc<AtomicBool>,
}

/// The way to the core.
#[derive(Clone, Debug)]
pub struct Handle {
    inputs: Sender<Input>,
    conntrack: SyncSender<conntrack::Report>,
}

impl Handle {
    /// Asks or orders. An error means that the core has ended.
    pub fn send(&self, command: Command) -> Result<()> {
        self.inputs.send(Input::Command(command)).ok().context("the agent's core has ended")
    }

    /// Tells. `false`: the core has ended.
    pub fn tell(&self, input: Input) -> bool {
        self.inputs.send(input).is_ok()
    }

    /// Tells what conntrack says; waits while the core is behind. `false`: the core has ended.
    pub fn tell_conntrack(&self, report: conntrack::Report) -> bool {
        self.conntrack.send(report).is_ok()
    }
}

/// The ends of a handle that the core reads.
#[derive(Debug)]
pub struct Inputs {
    inputs: Receiver<Input>,
    conntrack: Receiver<conntrack::Report>,
}

/// A handle and its ends.
pub fn handle() -> (Handle, Inputs) {
    let (inputs, inputs_end) = channel();
    let (conntrack, conntrack_end) = sync_channel(CONNTRACK_QUEUE);
    (Handle { inputs, conntrack }, Inputs { inputs: inputs_end, conntrack: conntrack_end })
}

#[derive(Debug, Default)]
struct Canary {
    port: Option<u16>,
    watched: bool,
    asked: Option<Reply<()>>,
    seen: bool,
}

struct Core {
    config: CoreConfig,
    kernel: Kernel,
    flow: FlowTable,
    joiner: Joiner,
    hops: Hops,
    runs: RunStore,
    inputs: Inputs,
    scan: Option<ScanRequest>,
    /// `None`: conntrack cannot be read.
    asker: Option<conntrack::Asker>,
    watches: BTreeMap<&'static str, Option<String>>,
    watched: Vec<WatchedPort>,
    watched_stale: bool,
    closing: Option<Closing>,
    canary: Canary,
    started_ns: u64,
    forgot_ns: u64,
    quiet_drains: u32,
    outputs: Vec<Output>,
    joined: Vec<Joined>,
}

/// Starts the core. It ends by [`Command::Stop`], and its end detaches the programs.
pub fn spawn(
    mut config: CoreConfig,
    kernel: Kernel,
    flow: FlowConfig,
    inputs: Inputs,
    scan: Option<ScanRequest>,
) -> io::Result<JoinHandle<()>> {
    let now_ns = monotonic_ns();
    let topology = std::mem::take(&mut config.topology);
    let core = Core {
        joiner: Joiner::new(config.node.clone(), topology),
        runs: RunStore::new(config.records_max_bytes),
        watches: config.absent.iter().map(|(name, reason)| (*name, Some(reason.clone()))).collect(),
        config,
        kernel,
        flow: FlowTable::new(flow),
        hops: Hops::default(),
        inputs,
        scan,
        asker: conntrack::Asker::open().ok(),
        watched: Vec::new(),
        watched_stale: true,
        closing: None,
        canary: Canary::default(),
        started_ns: now_ns,
        forgot_ns: now_ns,
        quiet_drains: 0,
        outputs: Vec::new(),
        joined: Vec::new(),
    };
    thread::Builder::new().name("core".into()).spawn(move || core.run())
}

impl Core {
    fn run(mut self) {
        while self.take_inputs() {
            self.take_conntrack();
            self.rewatch();
            self.drain();
            self.settle(monotonic_ns(), false);
            self.closing_step();
            self.housekeeping();
        }
    }

    /// Waits for the next drain, or less if something is told meanwhile. `false`: told to stop, or nobody is left.
    fn take_inputs(&mut self) -> bool {
        let period = if self.quiet_drains > IDLE_AFTER { IDLE_PERIOD } else { BUSY_PERIOD };
        let mut next = match self.inputs.inputs.recv_timeout(period) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        while let Some(input) = next {
            if !self.take(input) {
                return false;
            }
            next = self.inputs.inputs.try_recv().ok();
        }
        true
    }

    fn take(&mut self, input: Input) -> bool {
        match input {
            Input::Watch(report) => self.take_watch(report),
            Input::Cgroups(found, started_ns) => self.joiner.scanned(&found, started_ns, monotonic_ns()),
            Input::Stopped(stopped) => self.take_stopped(stopped),
            Input::Fared(fared) => self.take_fared(fared),
            Input::Command(Command::Stop) => return false,
            Input::Command(command) => self.obey(command),
        }
        true
    }

    fn drain(&mut self) {
        let (flow, outputs) = (&mut self.flow, &mut self.outputs);
        let drained = self.kernel.drain(|event| flow.push(event, outputs));
        self.quiet_drains = if drained.events == 0 { self.quiet_drains.saturating_add(1) } else { 0 };
        for _ in 0..drained.undecodable {
            self.joiner.tally.lost("events_undecodable");
        }
        let now_ns = monotonic_ns();
        flow.tick(now_ns, outputs);
        self.offer_outputs(false, now_ns);
        if self.joiner.wants_scan()
            && let Some(scan) = &self.scan
        {
            scan.soon();
        }
    }

    fn housekeeping(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns.saturating_sub(self.forgot_ns) >= FORGET_PERIOD_NS {
            self.forgot_ns = now_ns;
            self.joiner.forget(now_ns);
            self.hops.forget(now_ns);
        }
    }
}
