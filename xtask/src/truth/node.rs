//! What the injectors do below Kubernetes: processes, network namespaces, rules. Each change is taken back when its guard is dropped.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sched::{CloneFlags, setns},
    sys::signal::{Signal, kill},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

use crate::run::capture;

/// `CLOCK_MONOTONIC`, the clock of the load generator's records.
pub fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}

/// A process that does nothing until this is dropped.
pub struct Frozen(Pid);

impl Frozen {
    /// Stops it.
    pub fn freeze(pid: i32) -> Result<Self> {
        let pid = Pid::from_raw(pid);
        kill(pid, Signal::SIGSTOP).with_context(|| format!("cannot stop process {pid}"))?;
        Ok(Self(pid))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// Pid of the process of this name that we have started.
pub fn child(name: &str) -> Result<i32> {
    let own = std::process::id().to_string();
    for process in fs::read_dir("/proc").context("cannot read /proc")?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while we look at it.
        let Ok(status) = fs::read_to_string(process.path().join("status")) else { continue };
        let says =
            |key: &str, value: &str| status.lines().any(|line| line.strip_prefix(key).map(str::trim) == Some(value));
        if says("Name:", name) && says("PPid:", &own) {
            return Ok(pid);
        }
    }
    anyhow::bail!("no process {name} of ours runs")
}

/// A process in a pod: its network namespace, and a way to kill it.
#[derive(Clone, Copy, Debug)]
pub struct PodProcess(pub i32);

impl PodProcess {
    /// The process with the lowest pid of the pod's that run this program.
    pub fn find(uid: &str, program: &str) -> Result<Self> {
        Self::all(uid, program)?.first().copied().with_context(|| format!("pod {uid} has no process {program}"))
    }

    /// All of the pod's processes that run this program, by pid.
    pub fn all(uid: &str, program: &str) -> Result<Vec<Self>> {
        let name = format!("pod{uid}");
        let mut found = Vec::new();
        for process in fs::read_dir("/proc").context("cannot read /proc")?.flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            // A process may end while we look at it.
            let Ok(cgroup) = fs::read_to_string(process.path().join("cgroup")) else { continue };
            let Ok(comm) = fs::read_to_string(process.path().join("comm")) else { continue };
            if comm.trim() == program && cgroup.contains(&name) {
                found.push(pid);
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(Self).collect())
    }

    /// SIGKILL: it has no chance to answer anyone.
    pub fn kill(self) -> Result<()> {
        kill(Pid::from_raw(self.0), Signal::SIGKILL).with_context(|| format!("cannot kill process {}", self.0))
    }

    /// Its network namespace, held open so that it outlives the process.
    pub fn network(self) -> Result<Network> {
        Network::open(Path::new(&format!("/proc/{}/ns/net", self.0)))
    }
}

/// A network namespace.
pub struct Network(File);

impl Network {
    /// By the path of its file.
    pub fn open(path: &Path) -> Result<Self> {
        File::open(path).map(Self).with_context(|| format!("cannot open {}", path.display()))
    }

    /// Does something in it, on a thread of its own.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET).context("cannot enter the network namespace")?;
                Ok(work())
            });
            inside.join().map_err(|_| anyhow::anyhow!("the work in the network namespace panicked"))?
        })
    }

    /// Runs a program in it and gives what it prints.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.within(|| capture(Command::new(program).args(arguments)))?
    }

    /// Runs nft with this script.
    pub fn nft(&self, script: &str) -> Result<()> {
        self.within(|| {
            let mut nft =
                Command::new("nft").arg("-f").arg("-").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
            nft.stdin.take().context("nft has no stdin")?.write_all(script.as_bytes())?;
            let output = nft.wait_with_output()?;
            ensure!(output.status.success(), "nft: {}\n{script}", String::from_utf8_lossy(&output.stderr).trim());
            Ok(())
        })?
    }

    /// Dials until one of these is met.
    pub fn wait_for(&self, address: SocketAddr, what: &[Met]) -> Result<Met> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let met = self.dial(address)?;
            if what.contains(&met) {
                return Ok(met);
            }
            ensure!(Instant::now() < end, "{address} meets {met:?}, not {what:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What a connection attempt meets.
    pub fn dial(&self, address: SocketAddr) -> Result<Met> {
        const PATIENCE: Duration = Duration::from_millis(150);
        let dialled = self.within(|| TcpStream::connect_timeout(&address, PATIENCE).map(drop))?;
        Ok(match dialled {
            Ok(()) => Met::Open,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Met::Refused,
            Err(_) => Met::Silence,
        })
    }
}

/// The range of source ports.
pub const PORT_RANGE: &str = "net/ipv4/ip_local_port_range";

/// A setting of a network namespace that is put back when this is dropped.
pub struct Setting<'a> {
    network: &'a Network,
    path: PathBuf,
    before: String,
}

impl<'a> Setting<'a> {
    /// Changes it.
    pub fn change(network: &'a Network, name: &str, value: &str) -> Result<Self> {
        let path = Path::new("/proc/sys").join(name);
        let before = network.within(|| fs::read_to_string(&path))?.with_context(|| format!("cannot read {name}"))?;
        network.within(|| fs::write(&path, value))?.with_context(|| format!("cannot set {name} to {value}"))?;
        Ok(Self { network, path, before })
    }
}

impl Drop for Setting<'_> {
    fn drop(&mut self) {
        let _ = self.network.within(|| fs::write(&self.path, &self.before));
    }
}

/// What a connection attempt meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// A listener.
    Open,
    /// A reset, or the node's own rejection.
    Refused,
    /// Nobody, or the node's word that there is nobody.
    Silence,
}

/// A table of nftables that is removed when this is dropped.
pub struct Rules<'a> {
    network: &'a Network,
}

impl<'a> Rules<'a> {
    const TABLE: &'static str = "inet podwitness_truth";

    /// Rules for one hook (`input`, `output`), before everything else there.
    pub fn add(network: &'a Network, hook: &str, rules: &[&str]) -> Result<Self> {
        let table = Self::TABLE;
        let head = format!("add table {table}\nadd chain {table} c {{ type filter hook {hook} priority -400; }}\n");
        let body: Vec<String> = rules.iter().map(|rule| format!("add rule {table} c {rule}\n")).collect();
        network.nft(&(head + &body.concat()))?;
        Ok(Self { network })
    }
}

impl Drop for Rules<'_> {
    fn drop(&mut self) {
        let _ = self.network.nft(&format!("delete table {}\n", Self::TABLE));
    }
}

/// Address with port.
pub fn at(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip, port)
}
