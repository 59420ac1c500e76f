//! `cargo xtask VERB`: everything that is done with this repository, one file per verb.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use verbs::{bench, ci, cluster, demo, image, setup, test, truth};

/// Everything that is done with this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
#[command(after_help = "First time here: `cargo xtask demo` (root, Linux; sets up what is missing).")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Set up, build, start a Kubernetes, run the experiments, print the answers, and leave nothing
    Demo(demo::DemoArgs),
    /// Run every test, those on the embedded cluster included
    Test(test::TestArgs),
    /// Measure what watching and correlating cost
    Bench(bench::BenchArgs),
    /// Check formatting, lints, documentation, licences and generated files
    Ci,
    /// The embedded cluster: build, up, down, status, exec, shell
    Cluster(cluster::ClusterArgs),
    /// Make the container images as OCI archives, without Docker
    Image(image::ImageArgs),
    /// Make faults on purpose, and see whether the report calls each by its name
    Truth(truth::TruthArgs),
    /// Find what is missing on this machine and install it
    Setup(setup::SetupArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().verb {
        Verb::Demo(args) => demo::demo(&args)?,
        Verb::Test(args) => test::test(&args)?,
        Verb::Bench(args) => bench::bench(&args)?,
        Verb::Ci => ci::ci()?,
        Verb::Cluster(args) => return cluster::run(args),
        Verb::Image(args) => image::run(&args)?,
        Verb::Truth(args) => truth::truth(&args)?,
        Verb::Setup(args) => setup::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
