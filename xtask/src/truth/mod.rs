//! `cargo xtask truth`: faults made on purpose, and whether the report calls each by its name.
//!
//! An injector knows what it did to which requests, without asking the observer: by the digit of a trace id that the gateway's
//! configuration looks at, or by the window of time that its own dials and rules mark. The report is judged against that, request
//! by request.

mod bench;
mod busy;
pub mod churn;
mod injectors;
mod judge;
pub mod node;
mod tell;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use podwitness_cluster::{Cluster, DEFAULT_ROOT, Options, binaries};

use crate::{
    cluster::archives,
    demo::stop_on_ctrl_c,
    image,
    lab::Lab,
    run::{Steps, root},
    setup, static_build,
};
use bench::Bench;
use busy::Busy;
use injectors::Injector;
use judge::{Judged, Said};

/// Arguments of `truth`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit code 1 when a request was called by a wrong name, when 1 % or more have none, or when a cause has too few cases.

Examples:
  cargo xtask truth                                  every cause, 100 cases each, on a cluster of its own
  cargo xtask truth --only network_loss              the injectors of one cause
  cargo xtask truth --busy 4                         the same on a node that others use as well
  cargo xtask truth --churn                          1,000,000 requests, 1,000 deletions: the ledger stays closed
  cargo xtask truth --churn --requests 20000 --deletions 30
  cargo xtask cluster up --pod-subnet 10.244.0.0/27 --lab overlays/truth
  cargo xtask truth --on-running-cluster --churn --requests 20000 --deletions 60
  cargo xtask cluster up --lab overlays/truth && cargo xtask truth --on-running-cluster --cases 300")]
pub struct TruthArgs {
    /// Cases that each cause should have at least
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub cases: u64,
    /// Only the injectors of this cause, or the one of this name
    #[arg(long, value_name = "CAUSE")]
    pub only: Vec<String>,
    /// Folder of the runs and of matrix.json
    #[arg(long, default_value = "target/truth", value_name = "DIR")]
    pub out: PathBuf,
    /// Use the cluster that is up, with its observer, and leave it up
    #[arg(long)]
    pub on_running_cluster: bool,
    /// This load generator instead of building one
    #[arg(long, value_name = "PROGRAM")]
    pub loadgen: Option<PathBuf>,
    /// Instead of the injectors: delete pods one after the other under load, on a cluster whose addresses are used again soon
    #[arg(long)]
    pub churn: bool,
    /// Requests under churn
    #[arg(long, default_value_t = 1_000_000, value_name = "N", requires = "churn")]
    pub requests: u64,
    /// Deletions under churn
    #[arg(long, default_value_t = 1_000, value_name = "N", requires = "churn", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub deletions: u32,
    /// Requests per second under churn
    #[arg(long, default_value_t = 400, value_name = "PER_SECOND", requires = "churn", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub rate: u32,
    /// Beside so many processes that take all the CPU they get: names have to hold on a busy node as well
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=256))]
    pub busy: u32,
    /// Write no entry into docs/journal
    #[arg(long)]
    pub no_journal: bool,
}

/// From so many requests on, an agent as it usually is has no room for the records of a run.
const LONG_RUN: u64 = 200_000;
/// Addresses of the pods under churn.
const SMALL_SUBNET: &str = "10.244.0.0/27";

/// One injector's run.
pub struct Outcome {
    injector: &'static Injector,
    said: Said,
    judged: Judged,
    problems: Vec<String>,
    events_lost: Option<u64>,
}

/// Runs the injectors, judges the reports, tells.
pub fn truth(args: &TruthArgs) -> Result<()> {
    let wanted = wanted(&args.only)?;
    let stop = stop_on_ctrl_c()?;
    let mut steps = Steps::new(if args.churn { 2 } else { wanted.len() + 1 });
    steps.next("a cluster with the observer, and the load generator", "1 min once built");
    let loadgen = match &args.loadgen {
        Some(program) => program.canonicalize().with_context(|| format!("no program {}", program.display()))?,
        None => static_build::loadgen()?,
    };
    let out = root().join(&args.out);
    if args.churn {
        // 30 addresses, a handful of them in use: each comes back within some twenty deletions.
        let options = Options { pod_subnet: SMALL_SUBNET.parse().context("the small subnet")?, ..Options::default() };
        let observer = if args.requests > LONG_RUN { "local-long-runs" } else { "local" };
        let (cluster, _down) = cluster(args.on_running_cluster, &stop, options, observer)?;
        let churn = churn::Churn { requests: args.requests, deletions: args.deletions, rate: args.rate, reuse: true };
        steps.next("pods are deleted one after the other under load", "as long as requests ÷ rate");
        let busy = Busy::start(args.busy)?;
        let ledger = churn::churn(&cluster, &loadgen, &out, churn)?;
        drop(busy);
        return tell::churn(&out, &ledger, churn, args.busy, !args.no_journal);
    }
    let (cluster, _down) = cluster(args.on_running_cluster, &stop, Options::default(), "local")?;
    let bench = Bench { cluster: &cluster, loadgen, out, cases: args.cases, busy: args.busy };
    let busy = Busy::start(args.busy)?;
    let mut outcomes = Vec::new();
    for injector in wanted {
        steps.next(&format!("{}: {}", injector.name, injector.about), "30 s");
        if let Some(why) = injector.impossible() {
            eprintln!("  left out: {why}");
            continue;
        }
        let outcome = run(&bench, injector).with_context(|| format!("injector {}", injector.name))?;
        tell::outcome(&outcome);
        outcomes.push(outcome);
        ensure!(!stop.load(Ordering::Relaxed), "interrupted");
    }
    drop(busy);
    // Nothing of it stays: neither half-open entries nor the bench's gateway.
    bench.reset()?;
    tell::matrix(&bench, &outcomes, !args.no_journal)
}

fn run(bench: &Bench<'_>, injector: &'static Injector) -> Result<Outcome> {
    bench.reset()?;
    (injector.prepare)(bench)?;
    let run = bench.start(injector.name, &(injector.load)(bench))?;
    let said = Said { late_by_itself: bench.busy > 0, ..(injector.inject)(bench)? };
    let finished = if injector.is_slow() { run.finish_explained(&bench.loadgen)? } else { run.finish()? };
    let judged = judge::judge(&said, &finished.requests);
    Ok(Outcome { injector, said, judged, problems: finished.problems(), events_lost: finished.events_lost() })
}

fn wanted(only: &[String]) -> Result<Vec<&'static Injector>> {
    let is = |injector: &Injector, name: &str| injector.name == name || injector.causes.contains(&name);
    for name in only {
        if !injectors::ALL.iter().any(|injector| is(injector, name)) {
            let mut names: Vec<&str> =
                injectors::ALL.iter().flat_map(|it| it.causes.iter().copied().chain([it.name])).collect();
            names.sort_unstable();
            names.dedup();
            bail!("no injector makes `{name}`\n  fix: --only one of {}", names.join(", "));
        }
    }
    let asked = |injector: &&Injector| only.is_empty() || only.iter().any(|name| is(injector, name));
    Ok(injectors::ALL.iter().filter(asked).collect())
}

/// The cluster that is up, or one of our own, which goes away with the guard.
fn cluster(running: bool, stop: &Arc<AtomicBool>, options: Options, observer: &str) -> Result<(Cluster, Option<Down>)> {
    if running {
        let cluster = Cluster::find(DEFAULT_ROOT.as_ref())?;
        return Ok((cluster, None));
    }
    ensure!(
        !Cluster::status(DEFAULT_ROOT.as_ref())?.up,
        "a cluster is up already\n  fix: --on-running-cluster to use it, or `cargo xtask cluster down`"
    );
    setup::ensure()?;
    let bin_dir = binaries::ensure(false)?;
    let images = archives(&[image::Which::All])?;
    ensure!(!stop.load(Ordering::Relaxed), "interrupted");
    let options = Options { images, bin_dir: Some(bin_dir), ..options };
    let cluster = Cluster::up_unless(&options, Arc::clone(stop))?;
    let down = Down;
    Lab::new(&cluster).install_observer_as(observer)?;
    Ok((cluster, Some(down)))
}

/// Takes our own cluster down at the end of its scope.
struct Down;

impl Drop for Down {
    fn drop(&mut self) {
        if let Err(error) = Cluster::down(DEFAULT_ROOT.as_ref(), false) {
            eprintln!("warning: {error}\n  fix: cargo xtask cluster down");
        }
    }
}
