//! `loadgen slow-pod`.

use std::sync::OnceLock;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::{LoadArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::run::during;
use crate::cluster::act::Which;
use crate::cluster::act::slow::{Delay, milli};
use crate::experiment::slow_pod::{By, SlowPod};

/// What the command does, with examples.
pub const HELP: &str = "Examples:
  loadgen slow-pod
  loadgen slow-pod --by delay --delay 200ms --jitter 50ms
  loadgen slow-pod --by cpu --cpu 20m --rate 40 --path '/predict?burn_ms=1'
  loadgen slow-pod --pod newest --during 1m --fail-if 'failed>0'

--by cpu lowers the pod's CPU limit in place (Kubernetes 1.33 and later), as a node with less CPU would. A request that
needs hardly any CPU does not mind: burn_ms makes this project's inference image burn some for each.
--by delay uses the switch of this project's inference image. The pod is put back as it was, also on Ctrl-C.";

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// By delay where the image has the switch, else by cpu.
    Auto,
    /// By the switch of the inference image.
    Delay,
    /// By the CPU limit, in place.
    Cpu,
}

/// `slow-pod`.
#[derive(Clone, Debug, Args)]
pub struct SlowPodArgs {
    /// Which pod: oldest, newest, random, or its name.
    #[arg(long, value_name = "POD", default_value = "oldest", help_heading = "Experiment")]
    pub pod: Which,
    /// What makes it slow.
    #[arg(long, value_enum, default_value = "auto", help_heading = "Experiment")]
    pub by: ByArg,
    /// With --by delay: wait before each answer.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub delay: Duration,
    /// With --by delay: plus or minus this.
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub jitter: Duration,
    /// With --by cpu: the pod's CPU limit, in thousandths of a core (20m) or cores (0.02). The kernel's least is 10m.
    #[arg(long, value_name = "CPU", default_value = "20m", value_parser = cpu, help_heading = "Experiment")]
    pub cpu: u64,
    /// Load before.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = phase, help_heading = "Experiment")]
    pub before: Duration,
    /// Load while the pod is slow.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = phase, help_heading = "Experiment")]
    pub during: Duration,
    /// Load when it is fast again.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub after: Duration,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

fn cpu(text: &str) -> Result<u64, String> {
    milli(text).filter(|milli| *milli >= 10).ok_or_else(|| "write it as 20m or 0.02; the least is 10m".to_owned())
}

/// The intervals of the report are made from blocks of half a second, of which there must be some.
fn phase(text: &str) -> Result<Duration, String> {
    let length = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if length < Duration::from_secs(3) {
        Err("the least is 3s: a shorter phase says nothing".to_owned())
    } else {
        Ok(length)
    }
}

/// Runs it.
pub async fn slow_pod(args: &SlowPodArgs) -> Result<u8, Failure> {
    let delay = Delay { delay_ms: args.delay.as_millis() as u64, jitter_ms: args.jitter.as_millis() as u64 };
    if delay.delay_ms == 0 {
        return Err(Failure::usage("--delay must be one millisecond at least"));
    }
    let experiment = SlowPod {
        deployment: args.target.deployment.clone(),
        which: args.pod.clone(),
        by: match args.by {
            ByArg::Auto => By::Auto,
            ByArg::Delay => By::Delay,
            ByArg::Cpu => By::Cpu,
        },
        delay,
        cpu_milli: args.cpu,
        before: args.before,
        during: args.during,
        after: args.after,
        found: OnceLock::new(),
    };
    during(&experiment, &args.load, &args.target, &args.result).await
}
