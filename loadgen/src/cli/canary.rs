//! `loadgen canary`.

use std::time::Duration;

use super::args::{LoadArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::run::{constant, perform, setup_for};
use crate::experiment::canary::Canary;

pub const HELP: &str = "It changes nothing. Nine stable pods and one canary: kubectl apply -k k8s/lab/overlays/canary

Examples:
  loadgen canary
  loadgen canary --duration 2m --max-failed 0.5%
  loadgen canary --deployment ml-inference --canary ml-inference-canary
  loadgen canary --weight 10%

The last one is for k8s/lab/overlays/canary-weighted, where the gateway splits and not the replicas.";

/// `canary`.
#[derive(Clone, Debug, clap::Args)]
pub struct CanaryArgs {
    /// Deployment of the new version; --deployment names the stable one.
    #[arg(long, value_name = "NAME", default_value = "ml-inference-canary", help_heading = "Experiment")]
    pub canary: String,
    /// Share that the gateway's own configuration gives the canary, e.g. 10% [default: the ratio of ready pods].
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Experiment")]
    pub weight: Option<f64>,
    /// To be promoted the canary must be shown to fail less than this (95 % confidence).
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share, help_heading = "Experiment")]
    pub max_failed: f64,
    /// How long.
    #[arg(short, long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub duration: Duration,
    /// Longest wait for both versions to be ready.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub rollout_timeout: Duration,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Measures it.
pub async fn canary(args: &CanaryArgs) -> Result<u8, Failure> {
    if args.canary == args.target.deployment {
        return Err(Failure::usage("--canary and --deployment name the same Deployment"));
    }
    let experiment = Canary {
        canary: args.canary.clone(),
        weight_ratio: args.weight,
        most_failed_ratio: args.max_failed,
        patience: args.rollout_timeout,
    };
    let schedule = constant(&args.load, args.duration.as_secs_f64());
    perform(&experiment, &setup_for(&experiment, schedule, &args.load, &args.target, &args.result)?, &args.result).await
}

/// `10%` or `0.1`: more than nothing and less than all.
fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let ratio = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    ratio.filter(|ratio| *ratio > 0.0 && *ratio < 1.0).ok_or_else(|| format!("`{text}` is no share: write 10% or 0.1"))
}
