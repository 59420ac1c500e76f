//! `loadgen scale`.

use std::time::Duration;

use clap::Args;

use super::args::{LoadArgs, PhaseArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::run::{deployment, during};
use crate::experiment::scale::Scale;

pub const HELP: &str = "Examples:
  loadgen scale
  loadgen scale --to 6 --hold 30s
  loadgen scale --gateway --to 3
  loadgen scale --fail-if 'failed>0'";

/// `scale`.
#[derive(Clone, Debug, Args)]
pub struct ScaleArgs {
    /// Replicas to scale to; afterwards the number of before is put back.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=1000), help_heading = "Experiment")]
    pub to: i32,
    /// Load between the two changes, from the moment at which all pods are ready.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub hold: Duration,
    #[command(flatten)]
    pub phase: PhaseArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Adds replicas under load, and takes them away again.
pub async fn scale(args: &ScaleArgs) -> Result<u8, Failure> {
    let experiment = Scale {
        deployment: deployment(&args.phase, &args.target),
        to: args.to,
        before: args.phase.before,
        hold: args.hold,
        settle: args.phase.settle,
        patience: args.phase.rollout_timeout,
    };
    during(&experiment, &args.load, &args.target, &args.result).await
}
