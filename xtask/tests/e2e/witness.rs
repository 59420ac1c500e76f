//! Witnesses that know nothing of us: the node's own conntrack tool, and nginx's own log.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use podwitness_cluster::Node;
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::{bench::Bench, report::Run};

/// `conntrack -E` in a node's network namespace, from now until it is stopped.
pub struct Conntrack {
    child: Child,
    file: PathBuf,
}

impl Conntrack {
    /// Starts listening on the first node.
    pub fn start(bench: &Bench, name: &str) -> Result<Self> {
        Self::start_on(bench, bench.cluster.node(), name)
    }

    /// Starts listening on a node.
    pub fn start_on(bench: &Bench, node: &Node, name: &str) -> Result<Self> {
        fs::create_dir_all(&bench.out)?;
        let file = bench.out.join(format!("{name}-{}.conntrack", node.name()));
        let mut command = bench.cluster.command_on(node, "conntrack");
        command.args(["-E", "-p", "tcp", "-e", "NEW", "-o", "timestamp", "-b", "8388608"]);
        command.stdout(File::create(&file)?).stderr(Stdio::null()).stdin(Stdio::null());
        Ok(Self { child: command.spawn().context("cannot start conntrack")?, file })
    }

    /// Stops it and gives the sources of new entries to `address:port` since `since_s` (seconds since 1970), sorted.
    pub fn stop(self, address: &str, port: &str, since_s: f64) -> Result<Vec<SocketAddr>> {
        let mut sources = Vec::new();
        for line in self.entries(address, port, since_s)? {
            let source = (field(&line, "src="), field(&line, "sport="));
            let (Some(host), Some(port)) = source else { bail!("no source: {line}") };
            sources.push(format!("{host}:{port}").parse()?);
        }
        sources.sort_unstable();
        Ok(sources)
    }

    /// The same, as the number of new entries for each backend: the source of the reply's tuple.
    pub fn stop_by_backend(self, address: &str, port: &str, since_s: f64) -> Result<BTreeMap<String, u64>> {
        let mut backends = BTreeMap::new();
        for line in self.entries(address, port, since_s)? {
            let mut sources = line.split_whitespace().filter_map(|word| word.strip_prefix("src="));
            let Some(backend) = sources.nth(1) else { bail!("no reply tuple: {line}") };
            *backends.entry(backend.to_owned()).or_insert(0) += 1;
        }
        Ok(backends)
    }

    fn entries(mut self, address: &str, port: &str, since_s: f64) -> Result<Vec<String>> {
        // Asked to end, it writes what it still holds.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT)?;
        self.child.wait()?;
        let text = fs::read_to_string(&self.file)?;
        let mut lines = Vec::new();
        for line in text.lines() {
            // `[1700000000.123456]  [NEW] tcp 6 120 SYN_SENT src=… dst=… sport=… dport=… [UNREPLIED] src=…`: the original tuple first.
            let time = line.trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next());
            let time: f64 =
                time.and_then(|text| text.trim().parse().ok()).with_context(|| format!("no time: {line}"))?;
            if time >= since_s && field(line, "dst=") == Some(address) && field(line, "dport=") == Some(port) {
                lines.push(line.to_owned());
            }
        }
        Ok(lines)
    }
}

/// A field's first value.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name))
}

impl Drop for Conntrack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Statuses by trace id as nginx logged them, for the run with this id. Only of gateway pods that still exist.
pub fn nginx_statuses(bench: &Bench, run: &Run) -> Result<BTreeMap<String, u64>> {
    let id = run.report["run"]["id"].as_str().context("the run has no id")?;
    let arguments = ["--namespace", NAMESPACE, "logs", "--selector=app=api-gateway", "--tail=-1"];
    let text = bench.cluster.kubectl(&arguments)?;
    let mut statuses = BTreeMap::new();
    for line in text.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let Some(trace) = entry["traceparent"].as_str().and_then(|value| value.split('-').nth(1)) else { continue };
        if trace.starts_with(id) {
            let status = &entry["status"];
            let status =
                status.as_u64().or_else(|| status.as_str()?.parse().ok()).context("a log line has no status")?;
            ensure!(statuses.insert(trace.to_owned(), status).is_none(), "nginx logged {trace} twice");
        }
    }
    Ok(statuses)
}

/// nginx's log and the client's records name the same status for the same requests.
pub fn assert_nginx_agrees(bench: &Bench, run: &Run) -> Result<()> {
    let (nginx, client) = (nginx_statuses(bench, run)?, run.statuses());
    ensure!(!nginx.is_empty(), "nginx logged nothing of this run");
    for (trace, status) in &client {
        ensure!(nginx.get(trace) == Some(status), "{trace}: client {status}, nginx {:?}", nginx.get(trace));
    }
    ensure!(nginx.len() == client.len(), "nginx logged {}, the client got {}", nginx.len(), client.len());
    Ok(())
}

/// The Service's cluster address.
pub fn cluster_ip(bench: &Bench, service: &str) -> Result<String> {
    let output = ["--namespace", NAMESPACE, "get", "service", service, "--output=jsonpath={.spec.clusterIP}"];
    Ok(bench.cluster.kubectl(&output)?)
}

/// Sources of the gateway's connections that were opened during the run and made a conntrack entry of their own, sorted.
pub fn new_upstream_entries(run: &Run) -> Result<Vec<SocketAddr>> {
    let started_ns = run.number("/run/started_ns")?;
    let new = run.records.iter().filter(|record| {
        record["record"] == "connection"
            && record["hop"] == "upstream"
            && record["nat"]["source"] == "new"
            && record["opened_ns"].as_u64().is_some_and(|opened_ns| opened_ns >= started_ns)
    });
    let sources = new.flat_map(|record| {
        let entries = record["nat"]["entries"].as_u64().unwrap_or(1) as usize;
        let source = record["local"].as_str().context("a connection has no address");
        let source = source.and_then(|text| Ok(text.parse::<SocketAddr>()?)).map_err(|error| error.to_string());
        std::iter::repeat_n(source, entries).map(|source| source.map_err(anyhow::Error::msg))
    });
    let mut sources = sources.collect::<Result<Vec<SocketAddr>>>()?;
    sources.sort_unstable();
    Ok(sources)
}

/// Both lists name the same connections, each as often.
pub fn assert_same(ours: &[SocketAddr], theirs: &[SocketAddr]) -> Result<()> {
    let only = |these: &[SocketAddr], those: &[SocketAddr]| {
        these.iter().filter(|it| those.binary_search(it).is_err()).take(5).map(ToString::to_string).collect::<Vec<_>>()
    };
    let (count, missing, extra) = ((ours.len(), theirs.len()), only(theirs, ours), only(ours, theirs));
    ensure!(ours == theirs, "new entries (we, conntrack): {count:?}; only conntrack: {missing:?}; only we: {extra:?}");
    Ok(())
}
