//! `run.json`: written at the start as of a run that was cut short, and again at the end.

use reqwest::Url;

use super::source::Sent;
use crate::experiment::{Experiment, Setup};
use crate::load::{RunId, monotonic_ns, realtime_ns};
use crate::raw::{EndedBy, Environment, FORMAT, RunConfig, RunFile};

/// The file of a run that has not begun. It stays when the process is killed: what was measured until then can still be
/// made into a report.
pub fn begun(
    experiment: &dyn Experiment,
    setup: &Setup,
    url: &Url,
    run_id: RunId,
    environment: Environment,
    warnings: Vec<String>,
) -> RunFile {
    let now_ns = monotonic_ns();
    RunFile {
        schema_version: FORMAT,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        experiment: experiment.name().to_owned(),
        id: run_id.to_string(),
        command: setup.command.clone(),
        anchor_realtime_ns: realtime_ns(),
        anchor_monotonic_ns: now_ns,
        started_ns: now_ns,
        ended_ns: now_ns,
        ended_by: EndedBy::Interrupt,
        config: config(experiment, setup, url),
        environment,
        sent: 0,
        client_records_dropped: 0,
        goose: None,
        shards: Vec::new(),
        warnings,
    }
}

/// What the load adds.
pub fn sent(file: &mut RunFile, experiment: &dyn Experiment, outcome: Sent) {
    file.started_ns = outcome.started_ns.unwrap_or(outcome.ended_ns).min(outcome.ended_ns);
    file.ended_ns = outcome.ended_ns;
    file.sent = outcome.sent;
    file.goose = outcome.goose;
    // What a shard could not write down is as lost as what we could not.
    file.client_records_dropped = outcome.shards.iter().map(|shard| shard.records_dropped).sum();
    file.shards = outcome.shards;
    if experiment.at_most().is_some() {
        // An experiment ends when it is done, not when its bound is reached.
        file.config.schedule = file.config.schedule.for_length((file.ended_ns - file.started_ns) as f64 / 1e9);
    }
}

fn config(experiment: &dyn Experiment, setup: &Setup, url: &Url) -> RunConfig {
    RunConfig {
        url: url.to_string(),
        namespace: setup.target.namespace.clone(),
        gateway_service: setup.target.gateway_service.clone(),
        gateway_deployment: setup.target.gateway_deployment.clone(),
        upstream_service: setup.target.upstream_service.clone(),
        upstream_deployment: setup.target.upstream_deployment.clone(),
        schedule: setup.schedule.clone(),
        workers: setup.workers() * setup.job.as_ref().map_or(1, |job| job.shards),
        connection_per_request: !setup.client.keep_alive,
        connect_timeout_ms: setup.client.connect_timeout.as_millis() as u64,
        timeout_ms: setup.client.timeout.as_millis() as u64,
        experiment: experiment.settings(),
    }
}
