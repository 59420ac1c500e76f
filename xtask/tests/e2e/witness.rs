//! Witnesses that know nothing of us: the node's own conntrack tool, and nginx's own log.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::{bench::Bench, report::Run};

/// `conntrack -E` in the node's network namespace, from now until it is stopped.
pub struct Conntrack {
    child: Child,
    file: PathBuf,
}

impl Conntrack {
    /// Starts listening.
    pub fn start(bench: &Bench, name: &str) -> Result<Self> {
        fs::create_dir_all(&bench.out)?;
        let file = bench.out.join(format!("{name}.conntrack"));
        let mut command = bench.cluster.node_command("conntrack");
        command.args(["-E", "-p", "tcp", "-e", "NEW", "-b", "8388608"]);
        command.stdout(File::create(&file)?).stderr(Stdio::null()).stdin(Stdio::null());
        Ok(Self { child: command.spawn().context("cannot start conntrack")?, file })
    }

    /// Stops it and counts new entries to `address:port`.
    pub fn stop(mut self, address: &str, port: &str) -> Result<u64> {
        // Asked to end, it writes what it still holds.
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?),
            nix::sys::signal::Signal::SIGINT,
        )?;
        self.child.wait()?;
        let (address, port) = (format!(" dst={address} "), format!(" dport={port} "));
        let text = fs::read_to_string(&self.file)?;
        // The first tuple of a line is the original direction.
        let original = |line: &str| line.split(" [UNREPLIED]").next().map(str::to_owned).unwrap_or_default();
        Ok(text.lines().map(original).filter(|line| line.contains(&address) && line.contains(&port)).count() as u64)
    }
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

/// Connections of the gateway that made a conntrack entry of their own, by our records.
pub fn new_upstream_entries(run: &Run) -> u64 {
    let new = run.records.iter().filter(|record| {
        record["record"] == "connection" && record["hop"] == "upstream" && record["nat"]["source"] == "new"
    });
    new.count() as u64
}
