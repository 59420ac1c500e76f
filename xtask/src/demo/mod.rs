//! `cargo xtask demo`: from a bare machine to answers.

mod experiments;
mod place;

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    builds::{self, Built},
    run::{Steps, root, run},
    setup,
};
use place::Place;

/// Arguments of `demo`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask demo                        pod deletion, rolling update as assigned and cured
  cargo xtask demo --all                  every experiment of Steps 8, 9 and 10
  cargo xtask demo --context minikube     the same on a cluster that is there
  cargo xtask demo --keep                 and leave the cluster up for a look around")]
pub struct DemoArgs {
    /// Folder for the reports
    #[arg(long, default_value = "target/demo", value_name = "DIR")]
    pub out: PathBuf,
    /// Every experiment, in its short form
    #[arg(long)]
    pub all: bool,
    /// A cluster that is there (kubeconfig context) instead of the embedded one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Leave the cluster up for a look around (`cargo xtask cluster shell`, later `cluster down`)
    #[arg(long)]
    pub keep: bool,
}

/// Sets up, builds, starts a cluster, runs the experiments, prints the answers, and leaves nothing.
pub fn demo(args: &DemoArgs) -> Result<()> {
    let out = root().join(&args.out);
    let experiments = experiments::chosen(args.all);
    let mut steps = Steps::new(4 + experiments.len());
    let stop = stop_on_ctrl_c()?;
    args.context.as_deref().map(place::check_context).transpose()?;

    steps.next("tools: what is missing is installed", "1 min once, then 1 s");
    setup::ensure()?;

    let kubernetes = args.context.is_none();
    let what = if kubernetes {
        "Kubernetes from source; load generator, observer and images"
    } else {
        "load generator, observer and images"
    };
    steps.next(what, builds::USUALLY);
    let Built { loadgen, images } = builds::all(kubernetes, &stop)?;

    steps.next("a cluster with the lab and the observer", "25 s");
    ensure!(!stop.load(Ordering::Relaxed), "interrupted");
    // From here on the place is left as it was however this function ends.
    let place = match &args.context {
        Some(name) => Place::context(name, &images, args.keep)?,
        None => Place::embedded(images, args.all, args.keep, Arc::clone(&stop))?,
    };

    let mut done = Vec::new();
    for experiment in &experiments {
        steps.next(experiment.about, experiment.usually);
        place.deploy(experiment.overlay)?;
        let folder = out.join(experiment.name);
        // What an earlier demo left there is ours, and its folder says so.
        if folder.join("raw/run.json").is_file() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        run(place.loadgen(&loadgen, experiment.name, experiment.arguments).arg("--out").arg(&folder))?;
        ensure!(!stop.load(Ordering::Relaxed), "interrupted");
        done.push(folder);
    }

    steps.next("answers", "1 s");
    run(Command::new(&loadgen).arg("answers").arg("--out").arg(&out).args(&done))?;
    drop(place);
    eprintln!("\nreports: {}/*/report.html, answers: {}/q8.json, q9.json and q10.json", out.display(), out.display());
    Ok(())
}

/// Ctrl-C reaches the running child as well (one process group): it ends in good order, and so do we.
pub fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for Ctrl-C")?;
    }
    Ok(stop)
}
