//! One run, from looking at the cluster to the last raw file: the same for every experiment.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::files::Files;
use super::lab::Lab;
use super::last_run::{self, LastRun};
use super::{Experiment, ExperimentError, Narrator, Setup};
use crate::cluster::act::Actor;
use crate::cluster::connect::ConnectError;
use crate::cluster::describe::{describe, node_names};
use crate::cluster::gateway::{self, GatewayError};
use crate::cluster::observer::{Agent, ObserverError, Session, no_observer_warning};
use crate::cluster::preflight::{self, Level, Needs};
use crate::cluster::restore::leftovers::boot_id;
use crate::cluster::restore::{Entry, Journal, JournalError, journal, leftovers, undo};
use crate::cluster::watch::Watches;
use crate::cluster::{Cluster, throttling};
use crate::load::schedule::ScheduleError;
use crate::load::{
    Counters, Load, LoadError, LoadOutcome, LoadPlan, Plan, Reason, RunId, Stop, monotonic_ns, realtime_ns,
};
use crate::raw::write::{WriteError, write_json};
use crate::raw::{EndedBy, GooseCheck, RunConfig, RunFile};

/// After an interruption, for rollouts under way.
const SETTLE_AFTER_ABORT: Duration = Duration::from_secs(120);

/// A run that has its raw files.
#[derive(Debug)]
pub struct Ran {
    /// Its directory.
    pub dir: PathBuf,
    /// What ended it.
    pub ended_by: EndedBy,
    /// The error that ended it.
    pub error: Option<String>,
}

/// A run that has none.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The schedule is none.
    #[error("{0}")]
    Schedule(#[from] ScheduleError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The look before found errors. They have been told.
    #[error("{0} thing(s) must be fixed first")]
    Preflight(usize),
    /// No gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// No agent.
    #[error(transparent)]
    Observer(#[from] ObserverError),
    /// No journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The experiment could not be prepared.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// No load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Ctrl-C before anything was sent.
    #[error("interrupted before the first request")]
    Interrupted,
}

/// What was learnt of the cluster before anything was done.
struct Ready {
    cluster: Cluster,
    url: Url,
    agents: Vec<Agent>,
    journal_dir: PathBuf,
    warnings: Vec<String>,
}

/// Runs an experiment. Whatever happens, the cluster is put back and what was measured is kept.
pub async fn run<E: Experiment>(
    experiment: &E,
    setup: &Setup,
    narrator: Arc<dyn Narrator>,
    stop: &Stop,
) -> Result<Ran, RunError> {
    let length_s = experiment.at_most().map_or(setup.schedule.duration_s(), |most| most.as_secs_f64());
    let schedule = setup.schedule.for_length(length_s);
    let plan = Plan::new(&schedule)?;
    let files = Files::create(&setup.out, stop)?;
    let ready = tokio::select! {
        ready = Box::pin(look(experiment, setup, &*narrator)) => ready,
        _ = stop.aborted() => Err(stopped(stop)),
    };
    let ready = match ready {
        Ok(ready) => ready,
        Err(error) => {
            files.discard().await;
            return Err(error);
        }
    };
    Box::pin(perform(experiment, setup, narrator, stop, plan, files, ready)).await
}

fn stopped(stop: &Stop) -> RunError {
    match stop.reason() {
        Some(Reason::Error(error)) => {
            RunError::Write(WriteError::new(Path::new("the raw files"), std::io::Error::other(error)))
        }
        _ => RunError::Interrupted,
    }
}

/// Looks at everything; touches only what an earlier run left changed.
async fn look<E: Experiment>(experiment: &E, setup: &Setup, narrator: &dyn Narrator) -> Result<Ready, RunError> {
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
        None => gateway::discover(&cluster.client, &setup.target, &setup.path).await?,
    };
    if gateway::is_port_forward(&url) {
        let warning = format!(
            "{url} looks like a port-forward: it is bound to one gateway pod and measures the API server as well; use the node port, or `minikube service --url`"
        );
        narrator.warn(&warning);
        warnings.push(warning);
    }
    gateway::wait_for_answer(&url, setup.patience).await?;
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
                timeline: crate::cluster::Timeline::nowhere(),
            };
            narrator.step(&undo(&actor, change).await.map_err(ExperimentError::from)?);
        }
        journal::forget(&leftover.path)?;
    }
    Ok(())
}

/// Everything from here on leaves raw files behind, and puts back what it changed.
async fn perform<E: Experiment>(
    experiment: &E,
    setup: &Setup,
    narrator: Arc<dyn Narrator>,
    stop: &Stop,
    plan: Plan,
    files: Files,
    ready: Ready,
) -> Result<Ran, RunError> {
    let Ready { cluster, url, agents, journal_dir, mut warnings } = ready;
    let run_id = RunId::random();
    let (anchor_realtime_ns, anchor_monotonic_ns) = (realtime_ns(), monotonic_ns());
    let actor = Actor {
        client: cluster.client.clone(),
        namespace: setup.target.namespace.clone(),
        timeline: files.timeline.clone(),
    };
    let environment = describe(&cluster, &setup.target, &actor).await;
    let mut watches = Watches::start(&cluster.client, &setup.target.namespace, &files.timeline);
    if tokio::time::timeout(Duration::from_secs(10), watches.ready()).await.is_err() {
        warnings.push("a Kubernetes watch was not ready after 10 s: the time line has gaps".into());
    }
    let entry = journal_entry(run_id, &cluster, setup);
    let lab = Lab::new(setup.target.clone(), actor, Arc::clone(&narrator), Journal::new(&journal_dir, entry));
    let counters = Arc::new(Counters::default());
    let load = Load::new(LoadPlan {
        url: url.clone(),
        schedule: plan,
        workers: setup.workers(),
        client: setup.client,
        run_id,
    });

    let began = Box::pin(begin(experiment, setup, &lab, agents, run_id, stop)).await;
    let nodes = node_names(&cluster).await;
    let (outcome, session, mut error) = match began {
        Ok(session) => {
            throttle(&cluster, &nodes, setup, &files, &mut warnings).await;
            let sender = files.recorder.sender();
            let ran = Box::pin(under_load(experiment, &lab, load, Arc::clone(&counters), sender, stop)).await;
            match ran {
                Ok(outcome) => (Some(outcome), session, None),
                Err(error) => (None, session, Some(error.to_string())),
            }
        }
        Err(error) => (None, None, Some(error.to_string())),
    };
    narrator.load_ended();
    throttle(&cluster, &nodes, setup, &files, &mut Vec::new()).await;
    if let Some(session) = session {
        narrator.step("fetching what the observers saw");
        let observed = session.close(&files.raw).await;
        warnings.extend(observed.warnings);
    }
    drop(watches);
    warnings.extend(put_back(setup, &lab, stop).await);
    drop(lab);

    let Files { dir, raw, recorder, timeline, timeline_writer } = files;
    drop(timeline);
    let recorded = recorder.finish().await;
    if let Err(failed) = timeline_writer.finish().await {
        error = error.or(Some(failed.map_or("the time line's thread failed".to_owned(), |e| e.to_string())));
    }
    if let Some(failed) = recorded.error {
        error = error.or(Some(failed.to_string()));
    }
    let ended_by = match stop.reason() {
        Some(Reason::Interrupt) => EndedBy::Interrupt,
        Some(Reason::Error(text)) => {
            error = error.or(Some(text));
            EndedBy::Error
        }
        _ if error.is_some() => EndedBy::Error,
        _ => EndedBy::Schedule,
    };
    if let Some(text) = &error {
        warnings.push(text.clone());
    }
    let now_ns = monotonic_ns();
    let outcome = outcome.unwrap_or(LoadOutcome {
        sent: counters.snapshot().sent,
        started_ns: None,
        ended_ns: now_ns,
        goose: GooseCheck { requests: 0, successes: 0, failures: 0 },
    });
    let started_ns = outcome.started_ns.unwrap_or(now_ns).min(outcome.ended_ns);
    remember(&journal_dir, &cluster, setup, counters.snapshot().failed);
    let run_file = RunFile {
        schema_version: 1,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        experiment: experiment.name().to_owned(),
        id: run_id.to_string(),
        command: setup.command.clone(),
        anchor_realtime_ns,
        anchor_monotonic_ns,
        started_ns,
        ended_ns: outcome.ended_ns,
        ended_by,
        config: config(experiment, setup, &url, (outcome.ended_ns - started_ns) as f64 / 1e9),
        environment,
        sent: outcome.sent,
        client_records_dropped: recorded.dropped,
        goose: outcome.started_ns.map(|_| outcome.goose),
        warnings,
    };
    write_json(&raw.join("run.json"), &run_file)?;
    Ok(Ran { dir, ended_by, error })
}

/// Prepares the experiment and announces the run. On an error or an interruption nothing has been sent.
async fn begin<E: Experiment>(
    experiment: &E,
    setup: &Setup,
    lab: &Lab,
    agents: Vec<Agent>,
    run_id: RunId,
    stop: &Stop,
) -> Result<Option<Session>, RunError> {
    tokio::select! {
        prepared = experiment.prepare(lab) => prepared?,
        _ = stop.aborted() => return Err(stopped(stop)),
    }
    if agents.is_empty() {
        return Ok(None);
    }
    let request = observer::api::RunRequest {
        id: run_id.to_string(),
        namespace: setup.target.namespace.clone(),
        gateway_service: setup.target.gateway_service.clone(),
        upstream_service: setup.target.upstream_service.clone(),
        client: client_name(),
    };
    Ok(Some(Session::open(agents, &request, &boot_id()).await?))
}

/// Sends, and lets the experiment act meanwhile.
async fn under_load<E: Experiment>(
    experiment: &E,
    lab: &Lab,
    load: Load,
    counters: Arc<Counters>,
    records: crate::load::recorder::RecordSender,
    stop: &Stop,
) -> Result<LoadOutcome, LoadError> {
    let tickets = Arc::clone(&load.tickets);
    let total = experiment.at_most().is_none().then(|| tickets.length());
    let mut sending = Box::pin(load.run(Arc::clone(&counters), records, stop.clone()));
    let acting = async {
        let start_ns = tickets.started().await;
        tokio::time::sleep(Duration::from_nanos(start_ns.saturating_sub(monotonic_ns()))).await;
        tokio::select! {
            driven = experiment.drive(lab) => stop.set(match driven {
                Ok(()) => Reason::Done,
                Err(error) => Reason::Error(error.to_string()),
            }),
            _ = stop.aborted() => {}
        }
        std::future::pending::<()>().await;
    };
    let telling = async {
        let start_ns = tickets.started().await;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let elapsed = Duration::from_nanos(monotonic_ns().saturating_sub(start_ns));
            lab.narrator.load(elapsed, total, counters.snapshot());
        }
    };
    let outcome = tokio::select! {
        outcome = &mut sending => outcome,
        () = acting => unreachable!("acting never ends by itself"),
        () = telling => unreachable!("telling never ends by itself"),
    };
    if experiment.at_most().is_some() && stop.reason().is_none() {
        stop.set(Reason::Error(
            "the schedule ended before the experiment did\n  fix: allow more with --rollout-timeout".into(),
        ));
    }
    outcome
}

/// Puts changes back, or leaves them for good when that was asked for.
async fn put_back(setup: &Setup, lab: &Lab, stop: &Stop) -> Vec<String> {
    let mut problems = Vec::new();
    if setup.restore {
        problems.extend(lab.restore().await);
    } else if let Err(error) = lab.keep_changes().await {
        problems.push(error.to_string());
    }
    if matches!(stop.reason(), Some(Reason::Interrupt | Reason::Error(_))) {
        problems.extend(lab.settle(SETTLE_AFTER_ABORT).await);
    }
    for problem in &problems {
        lab.narrator.warn(problem);
    }
    problems
}

async fn throttle(cluster: &Cluster, nodes: &[String], setup: &Setup, files: &Files, warnings: &mut Vec<String>) {
    let read = throttling::read(&cluster.client, nodes, &setup.target.namespace, &files.timeline).await;
    if let Err(why) = read {
        warnings.push(format!("CPU throttling of pods is not measured: {why}"));
    }
}

fn journal_entry(run_id: RunId, cluster: &Cluster, setup: &Setup) -> Entry {
    Entry {
        schema_version: 1,
        run_id: run_id.to_string(),
        pid: std::process::id() as i32,
        boot_id: boot_id(),
        started_at: jiff::Timestamp::now().to_string(),
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        namespace: setup.target.namespace.clone(),
        changes: Vec::new(),
    }
}

fn remember(journal_dir: &Path, cluster: &Cluster, setup: &Setup, failed: u64) {
    if failed > 0 {
        let last = LastRun {
            server: cluster.server.clone(),
            namespace: setup.target.namespace.clone(),
            ended_realtime_ns: realtime_ns(),
            failed,
        };
        last_run::write(journal_dir, &last);
    }
}

fn config<E: Experiment>(experiment: &E, setup: &Setup, url: &Url, length_s: f64) -> RunConfig {
    let schedule = match experiment.at_most() {
        None => setup.schedule.clone(),
        // An experiment ends when it is done, not when its bound is reached.
        Some(_) => setup.schedule.for_length(length_s),
    };
    RunConfig {
        url: url.to_string(),
        namespace: setup.target.namespace.clone(),
        gateway_service: setup.target.gateway_service.clone(),
        gateway_deployment: setup.target.gateway_deployment.clone(),
        upstream_service: setup.target.upstream_service.clone(),
        upstream_deployment: setup.target.upstream_deployment.clone(),
        schedule,
        workers: setup.workers(),
        connection_per_request: !setup.client.keep_alive,
        connect_timeout_ms: setup.client.connect_timeout.as_millis() as u64,
        timeout_ms: setup.client.timeout.as_millis() as u64,
        experiment: experiment.settings(),
    }
}

/// Who asks, for the message to a second asker.
fn client_name() -> String {
    let host = nix::unistd::gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    format!("loadgen {} on {host}", std::process::id())
}
