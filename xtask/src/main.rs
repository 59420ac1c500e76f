//! `cargo xtask VERB`: everything that is done with this repository, one file per verb.

use clap::{Parser, Subcommand};
use verbs::{ci, image, setup};

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
    /// Check formatting, lints, documentation, licences and generated files
    Ci,
    /// Make the container images as OCI archives, without Docker
    Image(image::ImageArgs),
    /// Find what is missing on this machine and install it
    Setup(setup::SetupArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Ci => ci::ci(),
        Verb::Image(args) => image::run(&args),
        Verb::Setup(args) => setup::run(&args),
    }
}
