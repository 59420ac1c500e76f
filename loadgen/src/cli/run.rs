//! The experiments' commands: from arguments to a run.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::{
    JobArgs, LoadArgs, PhaseArgs, PodDeleteArgs, ResultArgs, RolloutArgs, ShardArgs, SteadyArgs, TargetArgs,
};
use super::exit::{Failure, INTERRUPTED};
use super::progress::Progress;
use super::prove_fix::prove_fix;
use super::{check, finish, plan, repeat, signals};
use crate::cluster::{Target, gateway};
use crate::experiment::files::RESULTS;
use crate::experiment::job::FromJob;
use crate::experiment::pod_delete::PodDelete;
use crate::experiment::rollout::Rollout;
use crate::experiment::steady::Steady;
use crate::experiment::{Experiment, JobSetup, Narrator, Ran, RunError, Setup, run};
use crate::load::client::ClientSettings;
use crate::load::{Plan, Stop};
use crate::raw::Schedule;

/// `loadgen steady`.
pub async fn steady(args: &SteadyArgs) -> Result<u8, Failure> {
    let setup = setup_for(&Steady, schedule(args), &args.load, &args.target, &args.result)?;
    perform(&Steady, &setup, &args.result).await
}

/// `loadgen job`.
pub async fn job(args: &JobArgs) -> Result<u8, Failure> {
    let steady = &args.steady;
    let job = FromJob { shards: args.shards, image: args.image.clone() };
    let mut setup = setup_for(&job, schedule(steady), &steady.load, &steady.target, &steady.result)?;
    setup.job = Some(JobSetup { shards: args.shards, image: args.image.clone() });
    perform(&job, &setup, &steady.result).await
}

/// `loadgen shard`: one sender of a Job.
pub async fn shard(args: &ShardArgs) -> Result<u8, Failure> {
    crate::shard::serve(&args.dir, args.port).await.map_err(Failure::tool)?;
    Ok(0)
}

fn schedule(args: &SteadyArgs) -> Schedule {
    let duration_s = args.duration.as_secs_f64();
    match (&args.ramp, args.steps.is_empty()) {
        (Some(ramp), _) => Schedule::Ramp { from_per_s: ramp.from_per_s, to_per_s: ramp.to_per_s, duration_s },
        (None, false) => Schedule::Steps {
            steps: args.steps.iter().map(|step| (step.rate_per_s, step.length.as_secs_f64())).collect(),
        },
        (None, true) => constant(&args.load, duration_s),
    }
}

/// `loadgen pod-delete`.
pub async fn pod_delete(args: &PodDeleteArgs) -> Result<u8, Failure> {
    let experiment = PodDelete {
        deployment: deployment(&args.phase, &args.target),
        which: args.pod.clone(),
        grace_s: if args.force { Some(0) } else { args.grace },
        repeat: args.repeat,
        every: args.every,
        before: args.phase.before,
        settle: args.phase.settle,
        patience: args.phase.rollout_timeout,
    };
    if args.prove.prove_fix {
        return prove_fix(&experiment, experiment.patience, args.prove, &args.load, &args.target, &args.result).await;
    }
    during(&experiment, &args.load, &args.target, &args.result).await
}

/// `loadgen rollout`.
pub async fn rollout(args: &RolloutArgs) -> Result<u8, Failure> {
    let experiment = Rollout {
        deployment: deployment(&args.phase, &args.target),
        image: args.image.clone(),
        prestop: args.prestop.clone(),
        before: args.phase.before,
        settle: args.phase.settle,
        patience: args.phase.rollout_timeout,
    };
    if args.prove.prove_fix {
        return prove_fix(&experiment, experiment.patience, args.prove, &args.load, &args.target, &args.result).await;
    }
    during(&experiment, &args.load, &args.target, &args.result).await
}

/// The Deployment that it is done to.
pub fn deployment(phase: &PhaseArgs, target: &TargetArgs) -> String {
    if phase.gateway { target.gateway_deployment.clone() } else { target.deployment.clone() }
}

/// An experiment that says itself how long it takes.
pub async fn during(
    experiment: &dyn Experiment,
    load: &LoadArgs,
    target: &TargetArgs,
    result: &ResultArgs,
) -> Result<u8, Failure> {
    perform(experiment, &setup(experiment, load, target, result)?, result).await
}

/// The run of an experiment that says itself how long it takes.
pub fn setup(
    experiment: &dyn Experiment,
    load: &LoadArgs,
    target: &TargetArgs,
    result: &ResultArgs,
) -> Result<Setup, Failure> {
    let length_s = experiment.at_most().unwrap_or_default().as_secs_f64();
    setup_for(experiment, constant(load, length_s), load, target, result)
}

/// One rate for that long.
pub fn constant(load: &LoadArgs, duration_s: f64) -> Schedule {
    let rate_per_s = load.rate;
    if load.poisson {
        Schedule::Poisson { rate_per_s, duration_s, seed: load.seed }
    } else {
        Schedule::Constant { rate_per_s, duration_s }
    }
}

/// What was asked for, checked as far as that can be done without a cluster.
pub fn setup_for(
    experiment: &dyn Experiment,
    schedule: Schedule,
    load: &LoadArgs,
    target: &TargetArgs,
    result: &ResultArgs,
) -> Result<Setup, Failure> {
    Plan::new(&schedule).map_err(Failure::usage)?;
    let url = target.url.as_deref().map(|url| gateway::given(url, &target.path)).transpose();
    let url = url.map_err(Failure::usage)?;
    if !target.path.starts_with('/') {
        return Err(Failure::usage(format!("--path `{}` must begin with a /", target.path)));
    }
    if load.timeout < load.connect_timeout {
        return Err(Failure::usage("--timeout must not be shorter than --connect-timeout"));
    }
    Ok(Setup {
        target: names(target),
        context: target.context.clone(),
        path: target.path.clone(),
        patience: target.patience,
        schedule,
        workers: load.workers,
        client: ClientSettings {
            connect_timeout: load.connect_timeout,
            timeout: load.timeout,
            keep_alive: load.keep_alive,
            tls: url.as_ref().is_some_and(|url| url.scheme() == "https"),
        },
        url,
        observer: !target.no_observer,
        restore: !result.no_restore,
        wait_nat: result.wait_nat,
        out: result.out.clone().unwrap_or_else(|| default_out(experiment.name())),
        job: None,
        command: plan::command_line(),
    })
}

/// Runs it, as often as was asked for, makes its report, and says how it ends.
pub async fn perform(experiment: &dyn Experiment, setup: &Setup, result: &ResultArgs) -> Result<u8, Failure> {
    if result.check {
        check::check(experiment, setup, result.runs).await
    } else if result.runs > 1 {
        repeat::repeat(experiment, setup, result).await
    } else {
        finish::after(&once(experiment, setup).await?, &result.show)
    }
}

/// One run.
pub async fn once(experiment: &dyn Experiment, setup: &Setup) -> Result<Ran, Failure> {
    let stop = Stop::default();
    signals::install(&stop)?;
    let progress: Arc<dyn Narrator> = Arc::new(Progress::new());
    let ran = run(experiment, setup, Arc::clone(&progress), &stop).await;
    drop(progress);
    ran.map_err(|error| match error {
        RunError::Interrupted => Failure { code: INTERRUPTED, message: RunError::Interrupted.to_string() },
        error => Failure::tool(error),
    })
}

/// The names on the command line.
pub fn names(target: &TargetArgs) -> Target {
    Target {
        namespace: target.namespace.clone(),
        gateway_service: target.gateway_service.clone(),
        gateway_deployment: target.gateway_deployment.clone(),
        upstream_service: target.service.clone(),
        upstream_deployment: target.deployment.clone(),
        observer_namespace: target.observer_namespace.clone(),
    }
}

pub fn default_out(experiment: &str) -> PathBuf {
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    PathBuf::from(RESULTS).join(format!("{experiment}-{now}"))
}
