//! `loadgen rollback`.

use super::args::{LoadArgs, PhaseArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::run::{deployment, during};
use crate::experiment::rollback::Rollback;
use crate::experiment::rollout::Rollout;

pub const HELP: &str = "It does what `kubectl rollout undo` does, under load, and puts the Deployment back afterwards.

Examples:
  loadgen rollback
  loadgen rollback --to-revision 1
  loadgen rollback --image hashicorp/http-echo:0.2.3
  loadgen rollback --no-restore

With --image it updates first, so that there is something to undo.";

/// `rollback`.
#[derive(Clone, Debug, clap::Args)]
pub struct RollbackArgs {
    /// To this revision [default: the one before the latest].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), help_heading = "Experiment")]
    pub to_revision: Option<i64>,
    /// Update to this image before the load begins.
    #[arg(long, help_heading = "Experiment")]
    pub image: Option<String>,
    #[command(flatten)]
    pub phase: PhaseArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Rolls back.
pub async fn rollback(args: &RollbackArgs) -> Result<u8, Failure> {
    let rollout = Rollout {
        deployment: deployment(&args.phase, &args.target),
        image: args.image.clone(),
        prestop: None,
        before: args.phase.before,
        settle: args.phase.settle,
        patience: args.phase.rollout_timeout,
    };
    let experiment = Rollback { rollout, to_revision: args.to_revision };
    during(&experiment, &args.load, &args.target, &args.result).await
}
