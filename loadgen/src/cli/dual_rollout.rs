//! `loadgen dual-rollout`.

use std::time::Duration;

use super::args::{LoadArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::prove_fix::{ProveArgs, prove_fix};
use super::run::during;
use crate::experiment::dual_rollout::DualRollout;
use crate::experiment::rollout::Rollout;

pub const HELP: &str = "Examples:
  loadgen dual-rollout
  loadgen dual-rollout --prove-fix
  loadgen dual-rollout --image hashicorp/http-echo:latest --gateway-image nginx:1.25-alpine";

/// `dual-rollout`.
#[derive(Clone, Debug, clap::Args)]
pub struct DualRolloutArgs {
    /// Update the serving pods to this image [default: a restart].
    #[arg(long, help_heading = "Experiment")]
    pub image: Option<String>,
    /// Update the gateway to this image [default: a restart].
    #[arg(long, value_name = "IMAGE", help_heading = "Experiment")]
    pub gateway_image: Option<String>,
    /// Load before both rollouts.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub before: Duration,
    /// Load after the last pod is gone: stale NAT entries show up to 17 s later.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub settle: Duration,
    /// Longest wait for pods to go and to become ready.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub rollout_timeout: Duration,
    #[command(flatten)]
    pub prove: ProveArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Rolls both.
pub async fn dual_rollout(args: &DualRolloutArgs) -> Result<u8, Failure> {
    let rollout = |deployment: &String, image: &Option<String>| Rollout {
        deployment: deployment.clone(),
        image: image.clone(),
        prestop: None,
        before: args.before,
        settle: args.settle,
        patience: args.rollout_timeout,
    };
    let experiment = DualRollout {
        upstream: rollout(&args.target.deployment, &args.image),
        gateway: rollout(&args.target.gateway_deployment, &args.gateway_image),
    };
    if args.prove.prove_fix {
        return prove_fix(&experiment, args.rollout_timeout, args.prove, &args.load, &args.target, &args.result).await;
    }
    during(&experiment, &args.load, &args.target, &args.result).await
}
