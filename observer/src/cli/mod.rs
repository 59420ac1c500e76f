//! `observer run | check | status`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

mod check;
mod fetch;
mod status;
mod table;

use crate::agent::run::RunOptions;
use crate::serve::metrics;

/// Exit code for an error of the tool, and for a check that fails.
const FAILED: u8 = 1;

/// Watches the TCP and HTTP/1.x traffic of this node's pods with eBPF and tells, for every request, which pod served it.
#[derive(Debug, Parser)]
#[command(name = "observer", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the agent until SIGTERM or Ctrl-C.
    Run(Box<RunOptions>),
    /// Say what this machine offers, before anything is attached.
    Check(check::CheckOptions),
    /// Print the status of a running agent; the exit code follows its health.
    Status(status::StatusOptions),
    /// Print docs/metrics.md.
    #[command(hide = true)]
    MetricsList,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    // One provider for the whole program; without an explicit choice the first TLS connection panics.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // One thread is enough for the API and the watches: the hot path has a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    match cli.verb {
        Verb::Run(options) => runtime.block_on(Box::pin(crate::agent::run::run(*options))).map(|()| ExitCode::SUCCESS),
        Verb::Check(options) => runtime.block_on(check::run(options)),
        Verb::Status(options) => runtime.block_on(status::run(options)),
        Verb::MetricsList => {
            print!("{}", metrics::list::markdown());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
