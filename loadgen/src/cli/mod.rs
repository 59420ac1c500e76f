//! The command line.

mod answers;
mod args;
mod balance;
mod canary;
mod doctor;
mod dual_rollout;
mod exit;
mod finish;
mod hpa;
mod output;
mod progress;
mod prove_fix;
mod rollback;
mod run;
mod scale;
mod signals;
mod slow_pod;

use std::process::ExitCode;

use clap::Parser;

pub use args::Cli;
use args::Command;
use exit::Failure;

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; a closed pipe is nobody's.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    // kube and the HTTP client must agree on one provider; whoever comes first decides.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    init_log(cli.verbose);
    match execute(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("error: {}", failure.message);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn execute(command: Command) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::tool(format!("cannot start: {e}")))?;
    let code = match command {
        Command::Report(args) => finish::report(&args),
        Command::Answers(args) => answers::answers(&args),
        Command::Doctor(args) => runtime.block_on(doctor::doctor(&args)),
        Command::Steady(args) => runtime.block_on(run::steady(&args)),
        Command::PodDelete(args) => runtime.block_on(run::pod_delete(&args)),
        Command::Scale(args) => runtime.block_on(scale::scale(&args)),
        Command::Hpa(args) => runtime.block_on(hpa::hpa(&args)),
        Command::Rollout(args) => runtime.block_on(run::rollout(&args)),
        Command::Balance(args) => runtime.block_on(balance::balance(&args)),
        Command::SlowPod(args) => runtime.block_on(slow_pod::slow_pod(&args)),
        Command::Canary(args) => runtime.block_on(canary::canary(&args)),
        Command::Rollback(args) => runtime.block_on(rollback::rollback(&args)),
        Command::DualRollout(args) => runtime.block_on(dual_rollout::dual_rollout(&args)),
    };
    // A watch or a forwarded port may still be waiting for the network.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

fn init_log(verbose: u8) {
    let default = match verbose {
        0 => "error",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("PODWITNESS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // A second subscriber in one process (tests) is no reason to fail.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(output::color(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .try_init();
}
