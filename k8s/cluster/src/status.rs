//! How a cluster is, for people and for programs.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cluster::Cluster;
use crate::journal::Journal;
use crate::layout::Layout;
use crate::options::{Metrics, ProxyMode};
use crate::{Result, lifecycle};

/// One daemon.
#[derive(Debug, Clone, Serialize)]
pub struct DaemonStatus {
    /// Its name, as in the name of its log.
    pub name: String,
    /// Its pid.
    pub pid: i32,
    /// Whether that very process runs.
    pub alive: bool,
    /// Its resident memory.
    pub resident_bytes: Option<u64>,
}

/// The state of a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Every daemon runs and every node is Ready.
    pub up: bool,
    /// The state directory.
    pub root: PathBuf,
    /// The version of Kubernetes, if there is a cluster.
    pub kubernetes_version: Option<String>,
    /// How Services are implemented.
    pub proxy_mode: Option<ProxyMode>,
    /// How many nodes it has.
    pub nodes: Option<usize>,
    /// Whether there is DNS.
    pub dns: Option<bool>,
    /// Whether pods are measured.
    pub metrics: Option<Metrics>,
    /// Whether the API server says that every node is Ready; not known when it does not answer.
    pub node_ready: Option<bool>,
    /// Why it is not up, if it is not.
    pub problem: Option<String>,
    /// The daemons.
    pub daemons: Vec<DaemonStatus>,
    /// An administrator's kubeconfig for the client's network namespace.
    pub kubeconfig: Option<PathBuf>,
    /// What is there of a cluster that is not up.
    pub leftovers: Vec<String>,
}

pub(crate) fn read(root: &Path) -> Result<Status> {
    let layout = Layout::new(root);
    let mut status = Status {
        up: false,
        root: root.to_owned(),
        kubernetes_version: None,
        proxy_mode: None,
        nodes: None,
        dns: None,
        metrics: None,
        node_ready: None,
        problem: None,
        daemons: Vec::new(),
        kubeconfig: None,
        leftovers: Vec::new(),
    };
    if let Some(journal) = Journal::load(&layout)?.filter(|journal| journal.is_of_this_boot().unwrap_or(false)) {
        describe(&mut status, &layout, &journal);
    }
    if !status.up {
        status.leftovers = lifecycle::leftovers(root)?;
    }
    Ok(status)
}

fn describe(status: &mut Status, layout: &Layout, journal: &Journal) {
    status.kubernetes_version = Some(journal.kubernetes_version.clone());
    status.proxy_mode = Some(journal.options.proxy_mode);
    status.nodes = Some(usize::from(journal.options.nodes));
    status.dns = Some(journal.options.dns);
    status.metrics = Some(journal.options.metrics);
    status.daemons = journal
        .daemons
        .iter()
        .map(|(name, process)| DaemonStatus {
            name: name.clone(),
            pid: process.pid,
            alive: process.is_alive(),
            resident_bytes: process.resident_bytes().filter(|_| process.is_alive()),
        })
        .collect();
    let ended: Vec<&str> =
        status.daemons.iter().filter(|daemon| !daemon.alive).map(|daemon| daemon.name.as_str()).collect();
    if !journal.complete {
        status.problem = Some("it was not brought up to the end".into());
    } else if !ended.is_empty() {
        status.problem = Some(format!("{} ended", ended.join(", ")));
    }
    let cluster = Cluster::from_journal(layout, journal);
    if status.daemons.iter().any(|daemon| daemon.name == "kube-apiserver" && daemon.alive) {
        match cluster.nodes_are_ready() {
            Ok(()) => status.node_ready = Some(true),
            Err(problem) => {
                status.node_ready = problem.starts_with("the node says").then_some(false);
                status.problem.get_or_insert(problem);
            }
        }
    }
    status.up = status.problem.is_none() && status.node_ready == Some(true);
    status.kubeconfig = Some(cluster.kubeconfig()).filter(|path| path.exists());
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root.display();
        match (&self.kubernetes_version, self.up) {
            (Some(version), true) => {
                let nodes =
                    self.nodes.filter(|nodes| *nodes > 1).map_or("node".into(), |nodes| format!("{nodes} nodes"));
                writeln!(out, "up: Kubernetes {version}, {nodes} Ready ({root})")?;
            }
            (Some(_), false) => {
                let problem = self.problem.as_deref().unwrap_or("it does not answer");
                writeln!(out, "not up: {problem} ({root})\n  fix: `cluster up` repairs it, `cluster down` removes it")?;
            }
            (None, _) if self.leftovers.is_empty() => writeln!(out, "down: there is no cluster ({root})")?,
            (None, _) => writeln!(out, "down, but something is left ({root})\n  fix: `cluster down` removes it")?,
        }
        if let (Some(mode), Some(dns), Some(metrics)) = (self.proxy_mode, self.dns, self.metrics) {
            writeln!(
                out,
                "  kube-proxy {}, DNS {}, metrics {metrics:?}",
                mode.as_str(),
                if dns { "on" } else { "off" }
            )?;
        }
        for daemon in &self.daemons {
            let state = if daemon.alive { "runs" } else { "ended" };
            let memory = daemon.resident_bytes.map(|bytes| format!("{:6} MiB", bytes >> 20)).unwrap_or_default();
            writeln!(out, "  {:<26} {state:<6} pid {:<8} {memory}", daemon.name, daemon.pid)?;
        }
        if let Some(path) = &self.kubeconfig {
            writeln!(out, "  KUBECONFIG={} (inside the client's network namespace)", path.display())?;
        }
        if self.kubernetes_version.is_none() {
            for left in &self.leftovers {
                writeln!(out, "  {left}")?;
            }
        }
        Ok(())
    }
}
