//! `loadgen balance`.

use std::time::Duration;

use clap::Args;

use super::args::{LoadArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::run::{constant, perform, setup_for};
use crate::experiment::balance::Balance;

/// What the command does, with examples.
pub const HELP: &str = "Examples:
  loadgen balance
  loadgen balance --requests 10 --rate 2
  loadgen balance --keep-alive --duration 1m
  loadgen balance --requests 3000 --explain 1500

Each new connection of the gateway is one choice of a pod. Ten requests, as in the lab, are too few to tell
chance from turns; the report says how many are needed.";

/// `balance`.
#[derive(Clone, Debug, Args)]
pub struct BalanceArgs {
    /// How long.
    #[arg(short, long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub duration: Duration,
    /// This many requests instead of a duration.
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u32).range(1..=10_000_000), help_heading = "Experiment")]
    pub requests: Option<u32>,
    /// Tell in full how the pod of this request was decided (its number, from 0) [default: one in the middle].
    #[arg(long, value_name = "SEQ", help_heading = "Experiment")]
    pub explain: Option<u64>,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Runs it.
pub async fn balance(args: &BalanceArgs) -> Result<u8, Failure> {
    let duration_s = match args.requests {
        Some(requests) if args.load.rate > 0.0 => f64::from(requests) / args.load.rate,
        _ => args.duration.as_secs_f64(),
    };
    let schedule = constant(&args.load, duration_s);
    let experiment = Balance { request: args.explain };
    let setup = setup_for(&experiment, schedule, &args.load, &args.target, &args.result)?;
    perform(&experiment, &setup, &args.result).await
}
