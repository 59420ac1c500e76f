//! Answers to the lab's questions, in words, from what was measured.

mod autoscaling;
mod balance;
mod canary;
mod dual_rollout;
mod losses;
mod pod_deletion;
mod propagation;
mod rollback;
mod rollout;
mod scaling;
mod slow_pod;
mod sparse;

pub use canary::decide;
pub use propagation::Propagation;

use super::cluster::Role;
use super::context::Context;
use crate::report::Hook;
use crate::report::schema::{
    Balance, CanaryReport, Deletion, Failure, Ledger, Measured, PolicyForecast, Scaling, SlowPod, Source, Verdict,
};

/// What a verdict is made from.
pub struct Findings<'r> {
    /// The ledger.
    pub ledger: &'r Ledger,
    /// Every failed request.
    pub failures: &'r [&'r Failure],
    /// Every pod deleted during the run.
    pub deletions: &'r [Deletion],
    /// How requests spread.
    pub balance: Option<&'r Balance>,
    /// What a slow pod did.
    pub slow_pod: Option<&'r SlowPod>,
    /// A new version beside the old one.
    pub canary: Option<&'r CanaryReport>,
    /// How the number of pods followed.
    pub scaling: Option<&'r Scaling>,
}

/// The questions that this experiment answers.
pub fn verdicts(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Vec<Verdict> {
    match ctx.raw.run.experiment.as_str() {
        "pod-delete" => vec![pod_deletion::q8_1(ctx, findings)],
        "balance" => vec![balance::q4_2(ctx, findings), balance::q8_2(ctx, findings)],
        "slow-pod" => vec![slow_pod::q8_3(ctx, findings)],
        "rollout" => {
            vec![rollout::q10_1(ctx, findings), rollout::q10_2(ctx, findings), rollout::q10_3(ctx, findings)]
        }
        "dual-rollout" => vec![dual_rollout::q10_4(ctx, findings)],
        "rollback" => vec![rollback::step_10_5(ctx, findings)],
        "canary" => findings.canary.map(canary::q10_5).into_iter().collect(),
        "scale" => scaling::steps(ctx, findings),
        "hpa" => autoscaling::q9(ctx, findings),
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

/// A verdict without a claim yet.
fn open(question: &str) -> Verdict {
    Verdict {
        question: question.to_owned(),
        claim: None,
        source: Source::Measured,
        evidence: Vec::new(),
        advice: Vec::new(),
        not_measured: Vec::new(),
    }
}

/// Forecasts as figures.
fn forecast_figures(forecasts: &[PolicyForecast]) -> Vec<Measured> {
    let figures = forecasts.iter().flat_map(|forecast| {
        let (policy, p50, p99) = (&forecast.policy, forecast.p50_us, forecast.p99_us);
        [
            measured(
                &format!("computed_{policy}_p50_us"),
                Some(p50 as f64),
                format!("computed: {policy} gives p50 {}", ms(p50 as f64)),
            ),
            measured(
                &format!("computed_{policy}_p99_us"),
                Some(p99 as f64),
                format!("computed: {policy} gives p99 {}", ms(p99 as f64)),
            ),
        ]
    });
    figures.collect()
}

/// "`round_robin` 12.3 / 210 ms": every policy with its computed p50 and p99.
fn forecast_words(forecasts: &[PolicyForecast]) -> String {
    let one = |forecast: &PolicyForecast| {
        format!("{} {} / {}", forecast.policy, ms(forecast.p50_us as f64), ms(forecast.p99_us as f64))
    };
    forecasts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Microseconds as milliseconds, in words.
fn ms(us: f64) -> String {
    let ms = us / 1e3;
    if ms.abs() < 100.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}
