//! A witness on the wire: `tcpdump` in the node's network namespace. It sees which connection attempts were answered, by whom, and how.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{bench::Bench, report::Run};

/// Both ends of a connection attempt after translation: the gateway as the pod sees it, the pod.
type Ends = (SocketAddr, SocketAddr);

/// What became of attempts between two addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answers {
    accepted: u64,
    refused: u64,
}

/// A running capture of SYN and RST segments.
pub struct Capture {
    child: Child,
    packets: PathBuf,
    /// What tcpdump says of itself, also of losses.
    account: PathBuf,
    port: &'static str,
}

impl Capture {
    /// Starts listening to one port of all pods on the first node.
    pub fn start(bench: &Bench, name: &str, port: &'static str) -> Result<Self> {
        fs::create_dir_all(&bench.out)?;
        let file = |ending: &str| bench.out.join(format!("{name}.{ending}"));
        let (packets, account) = (file("tcpdump"), file("tcpdump.log"));
        let mut command = bench.cluster.command_on(bench.cluster.node(), "tcpdump");
        // As root to the end: it would become another user, who may not write here.
        command.args(["-i", "any", "-nn", "-tt", "-l", "-B", "16384", "-Z", "root"]);
        command.arg(format!("tcp port {port} and tcp[tcpflags] & (tcp-syn|tcp-rst) != 0"));
        command.stdout(File::create(&packets)?).stderr(File::create(&account)?).stdin(Stdio::null());
        let child = command.spawn().context("cannot start tcpdump\n  fix: cargo xtask setup")?;
        let capture = Self { child, packets, account, port };
        capture.wait_until_listening()?;
        Ok(capture)
    }

    fn wait_until_listening(&self) -> Result<()> {
        for _ in 0..100 {
            if fs::read_to_string(&self.account)?.contains("listening on") {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        anyhow::bail!("tcpdump does not listen: {}", fs::read_to_string(&self.account)?)
    }

    /// Stops it and holds the records of a run's attempts against what was on the wire. Packets on their way to the Service's own
    /// address have not been translated yet: they are seen again behind it.
    pub fn assert_agrees(mut self, run: &Run, service: IpAddr) -> Result<()> {
        // Asked to end, it writes what it still holds, and its account.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT)?;
        self.child.wait()?;
        let account = fs::read_to_string(&self.account)?;
        ensure!(
            account.lines().any(|line| line.starts_with("0 packets dropped")),
            "the capture is not whole: {account}"
        );
        let text = fs::read_to_string(&self.packets)?;
        let theirs = answers(&text, self.port, run.started_s()?)?;
        let (ours, chosen_again) = recorded(run)?;
        ensure!(ours.values().any(|answers| answers.accepted > 0), "no attempt was recorded");
        for (ends, ours) in ours.iter().filter(|(ends, _)| !chosen_again.contains(ends)) {
            let wire = theirs.get(ends).copied().unwrap_or_default();
            ensure!(wire == *ours, "{} → {}: recorded {ours:?}, on the wire {wire:?}", ends.0, ends.1);
        }
        // Others, such as a kubelet, connect as well: only the gateways' addresses are ours.
        let gateways: BTreeSet<_> = ours.keys().map(|(source, _)| source.ip()).collect();
        let translated = |ends: &Ends| gateways.contains(&ends.0.ip()) && ends.1.ip() != service;
        for (ends, wire) in theirs.iter().filter(|(ends, _)| translated(ends)) {
            let recorded = ours.contains_key(ends) || chosen_again.contains(ends);
            ensure!(recorded, "{} → {}: nothing recorded, on the wire {wire:?}", ends.0, ends.1);
        }
        Ok(())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answered attempts as the gateway's records have them. An attempt that made more than one entry was sent to more than one pod, and
/// its record names the last one only: the wire cannot be held against it, and its ends are the second answer.
fn recorded(run: &Run) -> Result<(BTreeMap<Ends, Answers>, BTreeSet<Ends>)> {
    let started_ns = run.number("/run/started_ns")?;
    let mut chosen_again = BTreeSet::new();
    let mut answers: BTreeMap<Ends, Answers> = BTreeMap::new();
    for record in &run.records {
        let attempt = record["record"] == "connection"
            && record["hop"] == "upstream"
            && record["opened_ns"].as_u64().is_some_and(|opened_ns| opened_ns >= started_ns);
        if !attempt {
            continue;
        }
        let end = |name: &str| {
            let text = record["nat"][name].as_str().with_context(|| format!("an attempt has no {name}: {record}"))?;
            text.parse::<SocketAddr>().with_context(|| format!("{name}: {text}"))
        };
        let ends = (end("source_seen")?, end("chosen")?);
        if record["nat"]["entries"].as_u64().unwrap_or(1) > 1 {
            chosen_again.insert(ends);
            continue;
        }
        let answers = answers.entry(ends).or_default();
        match record["outcome"].as_str() {
            Some("established") => answers.accepted += 1,
            Some("refused") => answers.refused += 1,
            _ => {}
        }
    }
    Ok((answers, chosen_again))
}

/// Answered attempts as the wire has them: a SYN, by its sequence number, and what acknowledges it. An interface's copy of a packet
/// has the same numbers.
fn answers(text: &str, port: &str, since_s: f64) -> Result<BTreeMap<Ends, Answers>> {
    let mut attempts: BTreeMap<(Ends, u32), Option<bool>> = BTreeMap::new();
    for packet in text.lines().filter_map(Packet::parse).filter(|packet| packet.at_s >= since_s) {
        match packet.flags {
            "S" => {
                let seq = packet.seq.context("a SYN has no number")?;
                attempts.entry(((packet.from, packet.to), seq)).or_default();
            }
            "S." | "R." => {
                let Some(seq) = packet.ack.map(|ack| ack.wrapping_sub(1)) else { continue };
                if let Some(answer) = attempts.get_mut(&((packet.to, packet.from), seq)) {
                    // A connection that was accepted can be reset later.
                    *answer = Some(answer.unwrap_or(false) || packet.flags == "S.");
                }
            }
            _ => {}
        }
    }
    let port: u16 = port.parse()?;
    let mut answers: BTreeMap<Ends, Answers> = BTreeMap::new();
    for ((ends, _), answer) in attempts.into_iter().filter(|((ends, _), _)| ends.1.port() == port) {
        match answer {
            Some(true) => answers.entry(ends).or_default().accepted += 1,
            Some(false) => answers.entry(ends).or_default().refused += 1,
            None => {}
        }
    }
    Ok(answers)
}

/// One line of tcpdump's: `1700000000.123456 veth0 In IP 10.0.0.1.42310 > 10.0.0.2.5000: Flags [S.], seq 1, ack 2, win …`.
struct Packet<'l> {
    at_s: f64,
    from: SocketAddr,
    to: SocketAddr,
    flags: &'l str,
    seq: Option<u32>,
    ack: Option<u32>,
}

impl<'l> Packet<'l> {
    fn parse(line: &'l str) -> Option<Self> {
        let (head, rest) = line.split_once(" IP ")?;
        let (ends, rest) = rest.split_once(": Flags [")?;
        let (flags, rest) = rest.split_once(']')?;
        let (from, to) = ends.split_once(" > ")?;
        let number = |name: &str| {
            let text = rest.split(", ").find_map(|field| field.strip_prefix(name))?;
            text.split(':').next()?.parse().ok()
        };
        let at_s = head.split(' ').next()?.parse().ok()?;
        Some(Self { at_s, from: address(from)?, to: address(to)?, flags, seq: number("seq "), ack: number("ack ") })
    }
}

/// `10.0.0.1.5000`
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once('.')?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}
