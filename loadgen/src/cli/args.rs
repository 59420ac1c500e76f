//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::canary::{self, CanaryArgs};
use super::dual_rollout::{self, DualRolloutArgs};
use super::prove_fix::ProveArgs;
use super::rates::{Ramp, Step};
use super::rollback::{self, RollbackArgs};
use crate::cluster::act::{PreStop, Which};
use crate::experiment::pod_delete::Every;
use crate::report::threshold::Condition;

/// For every request of your load test: the pod that served it, where its time went, and, when it failed, why.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, propagate_version = true, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Log more to stderr (twice: even more).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

const EXIT_CODES: &str = "Exit codes: 0 pass, 1 tool error, 2 usage, 3 --prove-fix proved no fix, 99 a --fail-if condition held, 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load, and nothing else.
    #[command(after_help = STEADY_HELP)]
    Steady(SteadyArgs),
    /// The same load from inside the cluster: each pod of a Job sends its part of one schedule.
    #[command(after_help = JOB_HELP)]
    Job(JobArgs),
    /// One sender of `job`, in its pod.
    #[command(hide = true)]
    Shard(ShardArgs),
    /// Delete a pod under load: which requests fail, and why (Q8.1).
    #[command(name = "pod-delete", after_help = POD_DELETE_HELP)]
    PodDelete(PodDeleteArgs),
    /// Add replicas under load and take them away again (lab steps 8.1 and 8.5).
    #[command(after_help = super::scale::HELP)]
    Scale(super::scale::ScaleArgs),
    /// Let the load rise and fall and watch an autoscaler follow (Q9.1-9.4).
    #[command(after_help = super::hpa::HELP)]
    Hpa(super::hpa::HpaArgs),
    /// Roll a Deployment under load, with or without a working preStop hook (Q10.1-10.3).
    #[command(after_help = ROLLOUT_HELP)]
    Rollout(RolloutArgs),
    /// Which pods get the requests, and who decides that: chance, turns, weights or stickiness (Q4.2, Q8.2).
    #[command(after_help = super::balance::HELP)]
    Balance(super::balance::BalanceArgs),
    /// Make one pod slow under load: what that does to the client, and which policy would help (Q8.3).
    #[command(name = "slow-pod", after_help = super::slow_pod::HELP)]
    SlowPod(super::slow_pod::SlowPodArgs),
    /// Take an update back under load, as `kubectl rollout undo` does it (Step 10.5).
    #[command(after_help = rollback::HELP)]
    Rollback(RollbackArgs),
    /// Measure a new version beside the old one: its share, both versions' failures and times (Q10.5).
    #[command(after_help = canary::HELP)]
    Canary(CanaryArgs),
    /// Roll the gateway and the pods behind it at the same time: which failures each part caused (Q10.4).
    #[command(name = "dual-rollout", after_help = dual_rollout::HELP)]
    DualRollout(DualRolloutArgs),
    /// Make every output of a run again from its raw files.
    #[command(after_help = super::finish::HELP)]
    Report(super::finish::ReportArgs),
    /// Tell of single requests: the pod, each part of the way, each attempt, and why it failed.
    #[command(after_help = super::requests::HELP)]
    Requests(super::requests::RequestsArgs),
    /// Answer the lab's questions from any number of runs: q8.json, q9.json, q10.json, report.html and answers.md.
    #[command(after_help = super::answers::HELP)]
    Answers(super::answers::AnswersArgs),
    /// Run a series of experiments that a file describes, all of it checked before anything is touched.
    #[command(after_help = super::plan::HELP)]
    Plan(super::plan::PlanArgs),
    /// Say what changed from one run to another, and whether that is more than chance.
    #[command(after_help = super::compare::HELP)]
    Compare(super::compare::CompareArgs),
    /// Check Steps 2 to 7 of the lab from the outside: each passes, or the reason and the step to do again.
    #[command(after_help = super::verify::HELP)]
    Verify(super::verify::VerifyArgs),
    /// Look at the cluster and say what is missing, each with its fix.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
}

const STEADY_HELP: &str = "Examples:
  loadgen steady --rate 1000 --duration 60s
  loadgen steady --ramp 50:500 --duration 2m --fail-if 'p99>50ms'
  loadgen steady --steps 100:30s,200:30s,400:30s
  loadgen steady --rate 250 --poisson --seed 7";

const JOB_HELP: &str = "Examples:
  loadgen job --shards 3 --rate 600 --duration 60s
  loadgen job --shards 2 --rate 250 --poisson --seed 7 --fail-if 'failed>0'";

const POD_DELETE_HELP: &str = "Examples:
  loadgen pod-delete
  loadgen pod-delete --pod random --repeat 3 --every 30s
  loadgen pod-delete --repeat 3 --every ready
  loadgen pod-delete --force --fail-if 'failed>0'
  loadgen pod-delete --gateway
  loadgen pod-delete --repeat 3 --prove-fix";

const ROLLOUT_HELP: &str = "Examples:
  loadgen rollout
  loadgen rollout --prestop exec
  loadgen rollout --prestop sleep:5 --fail-if 'failed>0'
  loadgen rollout --image hashicorp/http-echo:0.2.3
  loadgen rollout --prove-fix --out proof";

const DOCTOR_HELP: &str = "Examples:
  loadgen doctor
  loadgen doctor --clean
  loadgen doctor --context minikube --namespace mlops-lab";

/// Which objects.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct TargetArgs {
    /// kubeconfig context [default: the current one].
    #[arg(long)]
    pub context: Option<String>,
    /// Namespace of the lab.
    #[arg(short, long, default_value = "mlops-lab")]
    pub namespace: String,
    /// Service in front of the gateway.
    #[arg(long, value_name = "NAME", default_value = "api-gateway-service")]
    pub gateway_service: String,
    /// Deployment of the gateway.
    #[arg(long, value_name = "NAME", default_value = "api-gateway")]
    pub gateway_deployment: String,
    /// Service behind the gateway.
    #[arg(long, value_name = "NAME", default_value = "ml-inference-service")]
    pub service: String,
    /// Deployment behind the gateway.
    #[arg(long, value_name = "NAME", default_value = "ml-inference")]
    pub deployment: String,
    /// Namespace of the observer.
    #[arg(long, value_name = "NAMESPACE", default_value = "podwitness")]
    pub observer_namespace: String,
    /// Go on without the observer: failed requests then have no pod and no proven cause.
    #[arg(long)]
    pub no_observer: bool,
    /// URL of the gateway [default: its Service's node port].
    #[arg(long, env = "PODWITNESS_URL")]
    pub url: Option<String>,
    /// Path to ask for, where --url has none.
    #[arg(long, default_value = "/predict")]
    pub path: String,
    /// How long to wait for the gateway's first good answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub patience: Duration,
}

/// How to send.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// Requests per second.
    #[arg(short, long, default_value_t = 250.0, value_name = "PER_SECOND")]
    pub rate: f64,
    /// Random gaps (exponential) instead of even ones.
    #[arg(long)]
    pub poisson: bool,
    /// Seed of the random gaps.
    #[arg(long, default_value_t = 1, requires = "poisson")]
    pub seed: u64,
    /// Most requests in flight [default: the rate, from 32 to 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub workers: Option<u32>,
    /// Keep connections instead of a new one for each request.
    #[arg(long)]
    pub keep_alive: bool,
    /// Give up connecting after this.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub connect_timeout: Duration,
    /// Give up on a request after this.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

/// Where results go.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct ResultArgs {
    /// Directory of the run [default: podwitness-results/EXPERIMENT-TIME].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub show: ShowArgs,
    /// Leave changes as they are instead of putting them back.
    #[arg(long)]
    pub no_restore: bool,
    /// Wait until NAT entries of an earlier run that lost requests have ended (two minutes at most).
    #[arg(long)]
    pub wait_nat: bool,
    /// Do all of it this many times, into OUT/1, OUT/2, …, and pool what comes out.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// Look at everything that this run needs, and stop before anything is touched.
    #[arg(long)]
    pub check: bool,
}

/// How results are shown and judged.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct ShowArgs {
    /// What is written to stdout.
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Format,
    /// Condition under which the exit code is 99, e.g. 'failed>0', 'p99>50ms'. May be repeated.
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Condition>,
}

/// What is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The whole report.
    Json,
    /// One line for the run, then one for each pod, failure and entry of the time line.
    Ndjson,
}

/// `steady`.
#[derive(Clone, Debug, Args)]
pub struct SteadyArgs {
    /// How long.
    #[arg(short, long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Change the rate evenly, e.g. 50:500.
    #[arg(long, value_name = "FROM:TO", conflicts_with_all = ["rate", "poisson", "steps"])]
    pub ramp: Option<Ramp>,
    /// One rate after the other, e.g. 100:30s,200:30s.
    #[arg(long, value_name = "RATE:TIME,…", value_delimiter = ',', conflicts_with_all = ["rate", "poisson", "duration"])]
    pub steps: Vec<Step>,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// `job`.
#[derive(Clone, Debug, Args)]
pub struct JobArgs {
    /// Pods that send; each sends every N-th request.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Job")]
    pub shards: u32,
    /// Image of the load generator [`cargo xtask image loadgen` makes it].
    #[arg(long, default_value = "podwitness.local/loadgen:dev", help_heading = "Job")]
    pub image: String,
    #[command(flatten)]
    pub steady: SteadyArgs,
}

/// `shard`.
#[derive(Clone, Debug, Args)]
pub struct ShardArgs {
    /// Where its records are kept until they are fetched.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Port on loopback.
    #[arg(long, default_value_t = crate::shard::PORT)]
    pub port: u16,
}

/// Load before and after an action.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Experiment")]
pub struct PhaseArgs {
    /// Load before the action.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub before: Duration,
    /// Load after the last pod is gone: stale NAT entries show up to 17 s later.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration)]
    pub settle: Duration,
    /// Longest wait for pods to go and to become ready.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub rollout_timeout: Duration,
    /// Do it to the gateway instead of the Deployment behind it.
    #[arg(long)]
    pub gateway: bool,
}

/// `pod-delete`.
#[derive(Clone, Debug, Args)]
pub struct PodDeleteArgs {
    /// Which pod: oldest, newest, random, or its name.
    #[arg(long, value_name = "POD", default_value = "oldest", help_heading = "Experiment")]
    pub pod: Which,
    /// Grace in seconds instead of the pod's own.
    #[arg(long, value_name = "SECONDS", conflicts_with = "force", help_heading = "Experiment")]
    pub grace: Option<u32>,
    /// No grace at all, like `kubectl delete --force --grace-period=0`.
    #[arg(long, help_heading = "Experiment")]
    pub force: bool,
    /// How many pods, one after the other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Experiment")]
    pub repeat: u32,
    /// From one deletion to the next: a time, or `ready` for as soon as the Deployment is whole again, like a drain.
    #[arg(long, value_name = "TIME", default_value = "15s", help_heading = "Experiment")]
    pub every: Every,
    #[command(flatten)]
    pub prove: ProveArgs,
    #[command(flatten)]
    pub phase: PhaseArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// `rollout`.
#[derive(Clone, Debug, Args)]
pub struct RolloutArgs {
    /// Update to this image [default: a restart, like `kubectl rollout restart`].
    #[arg(long, help_heading = "Experiment")]
    pub image: Option<String>,
    /// Hook of the pods that are replaced: none, exec, exec:COMMAND, sleep:SECONDS [default: as they are].
    #[arg(long, value_name = "HOOK", help_heading = "Experiment")]
    pub prestop: Option<PreStop>,
    #[command(flatten)]
    pub prove: ProveArgs,
    #[command(flatten)]
    pub phase: PhaseArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Put back what runs that were cut short have left changed.
    #[arg(long)]
    pub clean: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_is_understood() {
        let mut examples = 0;
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for example in help.lines().filter_map(|line| line.strip_prefix("  loadgen ")) {
                // A narrow terminal breaks longer ones, and what is pasted then are two commands.
                assert!(example.len() < 90, "{example}");
                let words = example.split_whitespace().map(|word| word.trim_matches('\''));
                let parsed = Cli::try_parse_from(std::iter::once("loadgen").chain(words));
                assert!(parsed.is_ok(), "loadgen {example}: {}", parsed.unwrap_err());
                examples += 1;
            }
        }
        assert!(examples > 50, "only {examples} were found");
    }

    #[test]
    fn steps_and_ramps_are_read() {
        let cli = Cli::try_parse_from(["loadgen", "steady", "--steps", "100:30s,0:5s"]).unwrap();
        let Command::Steady(args) = cli.command else { panic!("not steady") };
        assert_eq!(args.steps[1], Step { rate_per_s: 0.0, length: Duration::from_secs(5) });
        assert!(Cli::try_parse_from(["loadgen", "steady", "--ramp", "50"]).is_err());
        assert!(Cli::try_parse_from(["loadgen", "pod-delete", "--force", "--grace", "3"]).is_err());
    }
}
