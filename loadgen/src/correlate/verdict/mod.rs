//! Answers to the lab's questions, in words, from what was measured.

mod canary;
mod dual_rollout;
mod losses;
mod pod_deletion;
mod propagation;
mod rollback;
mod rollout;

pub use canary::decide;
pub use propagation::Propagation;

use super::cluster::Role;
use super::context::Context;
use crate::report::Hook;
use crate::report::schema::{CanaryReport, Deletion, Failure, Ledger, Measured, Verdict};

/// What a verdict is made from.
pub struct Findings<'r> {
    /// The ledger.
    pub ledger: &'r Ledger,
    /// Every failed request.
    pub failures: &'r [&'r Failure],
    /// Every pod deleted during the run.
    pub deletions: &'r [Deletion],
    /// A new version beside the old one.
    pub canary: Option<&'r CanaryReport>,
}

/// The questions that this experiment answers.
pub fn verdicts(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Vec<Verdict> {
    match ctx.raw.run.experiment.as_str() {
        "pod-delete" => vec![pod_deletion::q8_1(ctx, findings)],
        "rollout" => {
            vec![rollout::q10_1(ctx, findings), rollout::q10_2(ctx, findings), rollout::q10_3(ctx, findings)]
        }
        "dual-rollout" => vec![dual_rollout::q10_4(ctx, findings)],
        "rollback" => vec![rollback::step_10_5(ctx, findings)],
        "canary" => findings.canary.map(canary::q10_5).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The pods that the experiment acted on.
fn role(ctx: &Context<'_, '_>) -> Role {
    let config = &ctx.raw.run.config;
    let of_gateway = config.experiment.get("deployment").is_some_and(|name| *name == config.gateway_deployment);
    if of_gateway { Role::Gateway } else { Role::Upstream }
}

/// The hook of those pods.
fn hook(ctx: &Context<'_, '_>) -> Option<Hook> {
    Hook::of(&ctx.raw.run.config, &ctx.raw.run.environment)
}

/// A figure.
fn measured(name: &str, value: Option<f64>, text: impl Into<String>) -> Measured {
    Measured { name: name.to_owned(), value, text: text.into() }
}
