//! The run itself: prepare, announce, send and act, fetch, put back, write down.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::look::Ready;
use super::source::Source;
use super::under_load::under_load;
use super::{Ran, RunError, record, stopped};
use crate::cluster::act::Actor;
use crate::cluster::describe::{describe, node_names};
use crate::cluster::job::{JobPlan, Shards};
use crate::cluster::observer::{Agent, Session};
use crate::cluster::restore::leftovers::boot_id;
use crate::cluster::restore::{Change, Entry, Journal};
use crate::cluster::watch::Watches;
use crate::cluster::{Cluster, throttling};
use crate::experiment::files::Files;
use crate::experiment::last_run::{self, LastRun};
use crate::experiment::{Experiment, Lab, Narrator, Setup};
use crate::load::{Counters, Load, LoadPlan, Plan, Reason, RunId, Stop, monotonic_ns, realtime_ns};
use crate::raw::EndedBy;

/// After an interruption, for rollouts under way.
const SETTLE_AFTER_ABORT: Duration = Duration::from_secs(120);

/// From the last answer to the end of the observation: the last connections are still being closed, by both sides.
const CLOSING: Duration = Duration::from_millis(500);

/// How much longer than its schedule a Job may be there: pulling its image, waiting for its order, being fetched from.
const JOB_SPARE: Duration = Duration::from_secs(600);

/// From the last failure to the end of the watches.
const HEARING: Duration = Duration::from_secs(3);

/// Everything from here on puts back what it changed, whatever happens. Once something was sent, it is kept as well.
pub async fn perform(
    experiment: &dyn Experiment,
    setup: &Setup,
    narrator: Arc<dyn Narrator>,
    stop: &Stop,
    plan: Plan,
    files: Files,
    ready: Ready,
) -> Result<Ran, RunError> {
    let Ready { cluster, url, agents, journal_dir, mut warnings } = ready;
    let run_id = RunId::random();
    let actor = Actor {
        client: cluster.client.clone(),
        namespace: setup.target.namespace.clone(),
        timeline: files.timeline.clone(),
    };
    let environment = describe(&cluster, &setup.target, &actor).await;
    let nodes = node_names(&cluster).await;
    let mut watches = Watches::start(&cluster.client, &setup.target.namespace, &files.timeline);
    if experiment.watches_scaling() {
        watches.scaling(&cluster.client, &setup.target.namespace, &files.timeline);
    }
    if tokio::time::timeout(Duration::from_secs(10), watches.ready()).await.is_err() {
        warnings.push("a Kubernetes watch was not ready after 10 s: the time line has gaps".into());
    }
    let entry = journal_entry(run_id, &cluster, setup);
    let lab = Lab::new(setup.target.clone(), actor, Arc::clone(&narrator), Journal::new(&journal_dir, entry));

    let announced =
        Change::ObserverRun { run_id: run_id.to_string(), namespace: setup.target.observer_namespace.clone() };
    let load_plan = LoadPlan {
        url: url.clone(),
        schedule: plan,
        workers: setup.workers(),
        client: setup.client,
        run_id,
        start_ns: None,
    };
    let (load, session) = match Box::pin(begin(experiment, setup, &lab, load_plan, agents, &announced, stop)).await {
        Ok(begun) => begun,
        Err(error) => {
            drop(watches);
            put_back(setup, &lab, stop).await;
            drop(lab);
            files.discard().await;
            return Err(error);
        }
    };
    let mut run_file = record::begun(experiment, setup, &url, run_id, environment, Vec::new());
    files.write_run(&run_file)?;
    if let Err(why) = throttling::read(&cluster.client, &nodes, &setup.target.namespace, &files.timeline).await {
        warnings.push(format!("CPU throttling of pods is not measured: {why}"));
    }
    let counters = Arc::new(Counters::default());
    let sender = files.recorder.sender();
    let outcome = Box::pin(under_load(experiment, &lab, load, Arc::clone(&counters), sender, stop)).await;
    narrator.load_ended();
    // Whether it may be read was told before the load.
    let _ = throttling::read(&cluster.client, &nodes, &setup.target.namespace, &files.timeline).await;
    if let Some(session) = session {
        tokio::time::sleep(CLOSING).await;
        narrator.step("fetching what the observers saw");
        warnings.extend(session.close(&files.raw).await.warnings);
        if let Err(error) = lab.closed(&announced).await {
            warnings.push(error.to_string());
        }
    }
    hear_out(&counters).await;
    drop(watches);
    warnings.extend(put_back(setup, &lab, stop).await);
    drop(lab);
    remember(&journal_dir, &cluster, setup, counters.snapshot().failed);

    let mut lags = None;
    let mut error = match outcome {
        Ok(mut outcome) => {
            lags = outcome.lags.take();
            let mut problems = outcome.shards.iter().flat_map(|shard| shard.problems.iter().cloned());
            let first = problems.next();
            warnings.extend(problems);
            record::sent(&mut run_file, experiment, outcome);
            first
        }
        Err(failed) => {
            run_file.sent = counters.snapshot().sent;
            Some(failed.to_string())
        }
    };
    let ended = files.finish(lags).await;
    run_file.client_records_dropped += ended.dropped;
    (run_file.ended_by, error) = match stop.reason() {
        Some(Reason::Interrupt) => (EndedBy::Interrupt, error.or(ended.error.clone())),
        Some(Reason::Error(text)) => (EndedBy::Error, Some(text)),
        _ => match error.or(ended.error.clone()) {
            Some(text) => (EndedBy::Error, Some(text)),
            None => (EndedBy::Schedule, None),
        },
    };
    warnings.extend(error.clone());
    run_file.warnings = warnings;
    ended.write_run(&run_file)?;
    Ok(Ran { dir: ended.dir, ended_by: run_file.ended_by, error })
}

/// What a failure was caused by is told after it: a container's end takes the kubelet a second or two to find.
async fn hear_out(counters: &Counters) {
    let Some(failed_ns) = counters.last_failure_ns() else { return };
    let since = Duration::from_nanos(monotonic_ns().saturating_sub(failed_ns));
    tokio::time::sleep(HEARING.saturating_sub(since)).await;
}

/// Prepares the experiment and announces the run. On an error or an interruption nothing has been sent.
async fn begin(
    experiment: &dyn Experiment,
    setup: &Setup,
    lab: &Lab,
    load: LoadPlan,
    agents: Vec<Agent>,
    announced: &Change,
    stop: &Stop,
) -> Result<(Source, Option<Session>), RunError> {
    tokio::select! {
        prepared = experiment.prepare(lab) => prepared?,
        _ = stop.aborted() => return Err(stopped(stop)),
    }
    let load = tokio::select! {
        load = Box::pin(source(setup, lab, load)) => load?,
        _ = stop.aborted() => return Err(stopped(stop)),
    };
    let Change::ObserverRun { run_id, .. } = announced else { return Ok((load, None)) };
    if agents.is_empty() {
        return Ok((load, None));
    }
    lab.announce(announced).await?;
    let request = observer::api::RunRequest {
        id: run_id.clone(),
        namespace: setup.target.namespace.clone(),
        gateway_service: setup.target.gateway_service.clone(),
        upstream_service: setup.target.upstream_service.clone(),
        client: client_name(),
    };
    match Session::open(agents, &request, &boot_id()).await {
        Ok(session) => Ok((load, Some(session))),
        Err(error) => {
            // No agent has it, and another run's is not ours to call off.
            lab.closed(announced).await?;
            Err(error.into())
        }
    }
}

/// Where the load comes from. A Job is written down before it is made.
async fn source(setup: &Setup, lab: &Lab, load: LoadPlan) -> Result<Source, RunError> {
    let Some(job) = &setup.job else { return Ok(Source::Here(Box::new(Load::new(load)))) };
    let plan = JobPlan {
        name: format!("podwitness-load-{}", load.run_id),
        namespace: setup.target.namespace.clone(),
        image: job.image.clone(),
        shards: job.shards,
        deadline_s: (load.schedule.length_s() + setup.client.timeout.as_secs_f64()) as u64 + JOB_SPARE.as_secs(),
    };
    lab.narrator.step(&format!("starting {} senders in job/{}", plan.shards, plan.name));
    let made = Change::Made { object: "job".into(), namespace: plan.namespace.clone(), name: plan.name.clone() };
    lab.record(&made).await?;
    let schedule = setup.schedule.clone();
    let shards = Shards::start(&lab.actor.client, &plan, load, schedule, &boot_id()).await?;
    Ok(Source::Job(Box::new(shards)))
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

/// For the next run: what this one may have left in the NAT tables.
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

/// Who asks, for the message to a second asker.
fn client_name() -> String {
    let host = nix::unistd::gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    format!("loadgen {} on {host}", std::process::id())
}
