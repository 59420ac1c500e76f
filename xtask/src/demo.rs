//! `cargo xtask demo`: from a bare machine to answers.

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
use podwitness_cluster::{Cluster, DEFAULT_ROOT, Options, binaries};

use crate::{
    cluster::archives,
    image,
    lab::Lab,
    run::{Steps, root, run},
    setup,
};

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Folder for the reports
    #[arg(long, default_value = "target/demo", value_name = "DIR")]
    pub out: PathBuf,
    /// Requests per second
    #[arg(long, default_value_t = 250)]
    pub rate: u32,
    /// Leave the cluster up for a look around (`cargo xtask cluster shell`, later `cluster down`)
    #[arg(long)]
    pub keep: bool,
}

/// One experiment of the demo.
struct Experiment {
    /// Folder of its report.
    name: &'static str,
    /// What it shows, for the reader.
    about: &'static str,
    /// Kustomization below `k8s/lab`.
    overlay: &'static str,
    /// loadgen's arguments.
    arguments: &'static [&'static str],
}

/// Short, and each one shows something that the others do not.
const EXPERIMENTS: [Experiment; 3] = [
    Experiment {
        name: "pod-delete",
        about: "a pod is deleted under load (Q8.1)",
        overlay: "overlays/local-fast",
        arguments: &["pod-delete"],
    },
    Experiment {
        name: "rollout-as-assigned",
        about: "a rolling update with the assignment's preStop hook (Q10.3)",
        overlay: "overlays/local-fast",
        arguments: &["rollout"],
    },
    Experiment {
        name: "rollout-cured",
        about: "the same with a preStop hook that works (Q10.2)",
        overlay: "overlays/local-fast-prestop-sleep",
        arguments: &["rollout"],
    },
];

/// Sets up, builds, starts a cluster, runs the experiments, prints the answers, and leaves nothing.
pub fn demo(args: &DemoArgs) -> Result<()> {
    let out = root().join(&args.out);
    let mut steps = Steps::new(5 + EXPERIMENTS.len());
    let stop = stop_on_ctrl_c()?;

    steps.next("tools: what is missing is installed", "1 min once, then 1 s");
    setup::ensure()?;

    steps.next("Kubernetes from source, once", "6 min once, then nothing");
    let bin_dir = binaries::ensure(false)?;

    steps.next("load generator, observer and images", "6 min once, then 5 s");
    let loadgen = build_loadgen()?;
    let images = archives(&[image::Which::All])?;

    steps.next("a cluster with the lab and the observer", "25 s");
    ensure!(!stop.load(Ordering::Relaxed), "interrupted");
    let options = Options { images, bin_dir: Some(bin_dir), ..Options::default() };
    let cluster = Cluster::up_unless(&options, Arc::clone(&stop))?;
    // From here on the cluster goes away however this function ends.
    let guard = Down { keep: args.keep };
    let lab = Lab::new(&cluster);
    lab.install_observer()?;

    for experiment in &EXPERIMENTS {
        steps.next(experiment.about, "40 s");
        lab.deploy(experiment.overlay)?;
        let mut command = cluster.client_command(&loadgen);
        command.args(experiment.arguments).arg("--rate").arg(args.rate.to_string());
        command.arg("--out").arg(out.join(experiment.name));
        run(&mut command)?;
        ensure!(!stop.load(Ordering::Relaxed), "interrupted");
    }

    steps.next("answers", "1 s");
    let mut answers = Command::new(&loadgen);
    answers.arg("answers").arg("--out").arg(&out);
    answers.args(EXPERIMENTS.iter().map(|experiment| out.join(experiment.name)));
    run(&mut answers)?;
    drop(guard);
    eprintln!("\nreports: {}/*/report.html, answers: {}/q8.json and q10.json", out.display(), out.display());
    Ok(())
}

/// The load generator, optimised: it shares two cores with all it measures.
pub fn build_loadgen() -> Result<PathBuf> {
    run(crate::run::cargo().args(["build", "--release", "-p", "loadgen"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let binary = target.join("release/loadgen");
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// Ctrl-C reaches the running child as well (one process group): it ends in good order, and so do we.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for Ctrl-C")?;
    }
    Ok(stop)
}

/// Takes the demo's cluster down at the end of its scope.
struct Down {
    keep: bool,
}

impl Drop for Down {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("\nthe cluster stays up: cargo xtask cluster shell | cargo xtask cluster down");
        } else if let Err(error) = Cluster::down(DEFAULT_ROOT.as_ref(), false) {
            eprintln!("warning: {error}\n  fix: cargo xtask cluster down");
        }
    }
}

/// Fails where a command of a help text would fail.
#[cfg(test)]
mod tests {
    use super::EXPERIMENTS;

    #[test]
    fn each_experiment_has_its_kustomization_and_its_own_folder() {
        let mut names: Vec<_> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXPERIMENTS.len());
        for experiment in &EXPERIMENTS {
            let file = crate::run::root().join("k8s/lab").join(experiment.overlay).join("kustomization.yaml");
            assert!(file.is_file(), "{}", file.display());
        }
    }
}
