//! Before anything is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use super::RunError;
use crate::cluster::act::Actor;
use crate::cluster::gateway;
use crate::cluster::observer::{Agent, no_observer_warning};
use crate::cluster::preflight::{self, Level, Needs};
use crate::cluster::restore::leftovers::boot_id;
use crate::cluster::restore::{journal, leftovers, undo};
use crate::cluster::{Cluster, Timeline};
use crate::experiment::{Experiment, ExperimentError, Narrator, Setup, last_run};
use crate::load::source_ports::SourcePorts;
use crate::load::{Plan, realtime_ns};

/// What was learnt of the cluster before anything was done.
pub struct Ready {
    /// The cluster.
    pub cluster: Cluster,
    /// The gateway.
    pub url: Url,
    /// The agents, when they are wanted.
    pub agents: Vec<Agent>,
    /// Where changes are written down.
    pub journal_dir: PathBuf,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Looks at everything; touches only what an earlier run left changed.
pub async fn look(experiment: &dyn Experiment, setup: &Setup, narrator: &dyn Narrator) -> Result<Ready, RunError> {
    narrator.step("looking at the cluster");
    let cluster = Cluster::connect(setup.context.as_deref()).await?;
    let needs = Needs { permissions: experiment.permissions(&setup.target), observer: setup.observer };
    let found = preflight::check(&cluster, &setup.target, &needs).await;
    let mut warnings = Vec::new();
    for finding in found.report.of(Level::Warning) {
        narrator.warn(&finding.to_string());
        warnings.push(finding.what.clone());
    }
    let errors: Vec<_> = found.report.of(Level::Error).collect();
    if !errors.is_empty() {
        for finding in &errors {
            narrator.warn(&finding.to_string());
        }
        return Err(RunError::Preflight(errors.len()));
    }
    if !setup.observer {
        warnings.push(no_observer_warning());
        narrator.warn(&no_observer_warning());
    }
    let url = match &setup.url {
        Some(url) => url.clone(),
        None if setup.job.is_some() => gateway::discover_inside(&cluster.client, &setup.target, &setup.path).await?,
        None => gateway::discover(&cluster.client, &setup.target, &setup.path).await?,
    };
    if gateway::is_port_forward(&url) {
        let warning = format!(
            "{url} looks like a port-forward: it is bound to one gateway pod and measures the API server as well; use the node port, or `minikube service --url`"
        );
        narrator.warn(&warning);
        warnings.push(warning);
    }
    source_ports(experiment, setup, narrator, &mut warnings)?;
    if setup.job.is_none() {
        // A Service's own address answers inside the cluster only.
        gateway::wait_for_answer(&url, setup.patience).await?;
    }
    let journal_dir = journal::default_dir()?;
    clean_leftovers(&cluster, &journal_dir, narrator, &mut warnings).await?;
    let left_s = last_run::read(&journal_dir)
        .map_or(0, |last| last.seconds_left(&cluster.server, &setup.target.namespace, realtime_ns()));
    if left_s > 0 && setup.wait_nat {
        narrator.step(&format!("waiting {left_s} s until NAT entries of the run before have ended"));
        tokio::time::sleep(Duration::from_secs(left_s)).await;
    } else if left_s > 0 {
        warnings.push(format!(
            "a run that lost requests ended less than two minutes before: up to {left_s} s into this one its stale NAT entries can cause failures here (--wait-nat waits for their end)"
        ));
    }
    let agents = found.agents.map(|agents| agents.running).unwrap_or_default();
    Ok(Ready { cluster, url, agents, journal_dir, warnings })
}

/// A load that runs out of source ports measures its own machine. How long an experiment takes is not known before:
/// there it can only be a warning.
pub fn source_ports(
    experiment: &dyn Experiment,
    setup: &Setup,
    narrator: &dyn Narrator,
    warnings: &mut Vec<String>,
) -> Result<(), RunError> {
    if setup.client.keep_alive {
        return Ok(());
    }
    let ports = match &setup.job {
        Some(job) => Some(SourcePorts::of_pods(job.shards)),
        None => SourcePorts::read(),
    };
    let plan = Plan::new(&setup.schedule)?;
    let Some((ports, missing)) = ports.and_then(|ports| Some((ports, ports.missing(&plan)?))) else { return Ok(()) };
    let (whose, fix) = match &setup.job {
        Some(job) => (
            format!("the Job's {} pods have", job.shards),
            "more --shards, a lower --rate, a shorter run, or --keep-alive",
        ),
        None => (
            "this machine has".to_owned(),
            "`sysctl -w net.ipv4.tcp_tw_reuse=1` on this machine, a lower --rate, a shorter run, or --keep-alive",
        ),
    };
    let what = format!(
        "a connection per request at this rate uses {} source ports within a minute; {whose} {}",
        ports.count + missing,
        ports.count
    );
    let mut report = preflight::Report::default();
    if experiment.at_most().is_none() {
        report.error(what, fix);
    } else {
        warnings.push(what.clone());
        report.warn(what, fix);
    }
    report.findings.iter().for_each(|finding| narrator.warn(&finding.to_string()));
    if report.worst() == Level::Error { Err(RunError::Preflight(1)) } else { Ok(()) }
}

/// Puts back what runs that crashed have left changed in this cluster.
async fn clean_leftovers(
    cluster: &Cluster,
    dir: &Path,
    narrator: &dyn Narrator,
    warnings: &mut Vec<String>,
) -> Result<(), RunError> {
    let (found, problems) = leftovers::find(dir, &boot_id());
    warnings.extend(problems);
    for leftover in found.iter().filter(|leftover| leftover.is_of(cluster)) {
        narrator.warn(&format!(
            "the run of {} was cut short and left changes; putting them back",
            leftover.entry.started_at
        ));
        for change in leftover.entry.changes.iter().rev() {
            let actor = Actor {
                client: cluster.client.clone(),
                namespace: leftover.entry.namespace.clone(),
                timeline: Timeline::nowhere(),
            };
            narrator.step(&undo(&actor, change).await.map_err(ExperimentError::from)?);
        }
        journal::forget(&leftover.path)?;
    }
    Ok(())
}
