//! A loaded kernel side and what it saw.

use std::{net::SocketAddr, time::Duration};

use nix::{
    sched::{CloneFlags, unshare},
    time::{ClockId, clock_gettime},
    unistd::Uid,
};
use observer::{
    flow::{FlowConfig, FlowTable, Output, Side},
    kernel::{Kernel, LoadOptions, cgroup2_mount},
    record::{Connection, Exchange},
};

/// The programs, attached, and a flow table behind them.
pub struct Observed {
    pub kernel: Kernel,
    pub flow: FlowTable,
    pub out: Vec<Output>,
}

/// Loads the programs. `None`, and a loud word, when this user may not.
pub fn observe() -> Option<Observed> {
    observe_without(&[])
}

/// The same, but for these programs.
pub fn observe_without(leave_out: &'static [&'static str]) -> Option<Observed> {
    if !Uid::effective().is_root() {
        eprintln!("\n*** SKIPPED: this test attaches eBPF programs and needs root ***\n");
        return None;
    }
    let cgroup = cgroup2_mount().expect("a cgroup2 mount");
    let kernel = Kernel::load(&LoadOptions { cgroup, measure_cost: true, leave_out }).expect("the programs load");
    for program in kernel.programs() {
        let wanted = !leave_out.contains(&program.name.as_str());
        assert_eq!(program.attached, wanted, "{}: {:?}", program.name, program.reason);
    }
    let flow = FlowTable::new(FlowConfig { calls: kernel.tells_calls(), ..FlowConfig::default() });
    Some(Observed { kernel, flow, out: Vec::new() })
}

impl Observed {
    pub fn watch(&mut self, address: SocketAddr) -> &mut Self {
        self.kernel.watch_ports(&[address.port()]).unwrap();
        self
    }

    /// Takes what there is.
    pub fn drain(&mut self) {
        let (flow, out) = (&mut self.flow, &mut self.out);
        let drained = self.kernel.drain(|event| flow.push(event, out));
        assert_eq!(drained.undecodable, 0);
        flow.tick(monotonic_ns(), out);
    }

    /// Takes everything and gives what waits its time.
    pub fn settle_with_losses(&mut self) {
        std::thread::sleep(Duration::from_millis(100));
        self.drain();
        self.flow.tick(monotonic_ns() + 60_000_000_000, &mut self.out);
    }

    /// The same, and checks that nothing was lost.
    pub fn settle(&mut self) {
        self.settle_with_losses();
        let lost = self.kernel.counters().lost;
        assert!(lost.values().all(|lost| *lost == 0), "{lost:?}");
        let lost = self.flow.counters().lost();
        assert!(lost.values().all(|lost| *lost == 0), "{lost:?}");
    }

    /// Exchanges on one side, in the order of connection and index.
    pub fn exchanges(&self, side: Side) -> Vec<Exchange> {
        let mut exchanges: Vec<Exchange> = self
            .out
            .iter()
            .filter_map(|output| match output {
                Output::Exchange(seen) if seen.side == side => Some(seen.record.clone()),
                _ => None,
            })
            .collect();
        exchanges.sort_by_key(|exchange| (exchange.conn, exchange.index));
        exchanges
    }

    /// Connections on one side, by birth.
    pub fn connections(&self, side: Side) -> Vec<Connection> {
        let mut connections: Vec<Connection> = self
            .out
            .iter()
            .filter_map(|output| match output {
                Output::Connection(seen) if seen.side == side => Some(seen.record.clone()),
                _ => None,
            })
            .collect();
        connections.sort_by_key(|connection| connection.opened_ns);
        connections
    }
}

pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Runs `inside` in a network namespace of its own, which ends with the thread.
pub fn in_own_network<T: Send>(inside: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
                run("ip", &["link", "set", "lo", "up"]);
                inside()
            })
            .join()
            .expect("the thread in the namespace ends well")
    })
}

pub fn run(program: &str, arguments: &[&str]) {
    let output = std::process::Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
