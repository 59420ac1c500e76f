//! The command line.

mod answers;
mod args;
mod balance;
mod canary;
mod check;
mod compare;
mod doctor;
mod dual_rollout;
mod exit;
mod finish;
mod hpa;
mod output;
mod plan;
mod progress;
mod prove_fix;
mod rates;
mod repeat;
mod requests;
mod rollback;
mod run;
mod scale;
mod signals;
mod slow_pod;
mod verify;

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
    let code = runtime.block_on(dispatch(command));
    // A watch or a forwarded port may still be waiting for the network.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

/// One command. A plan comes back here for each of its experiments.
async fn dispatch(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Report(args) => finish::report(&args),
        Command::Requests(args) => requests::run(&args),
        Command::Answers(args) => answers::answers(&args),
        Command::Plan(args) => Box::pin(plan::run(&args)).await,
        Command::Verify(args) => Box::pin(verify::run(&args)).await,
        Command::Compare(args) => compare::run(&args),
        Command::Doctor(args) => Box::pin(doctor::doctor(&args)).await,
        Command::Steady(args) => Box::pin(run::steady(&args)).await,
        Command::Job(args) => Box::pin(run::job(&args)).await,
        Command::Shard(args) => run::shard(&args).await,
        Command::PodDelete(args) => Box::pin(run::pod_delete(&args)).await,
        Command::Rollout(args) => Box::pin(run::rollout(&args)).await,
        Command::Scale(args) => Box::pin(scale::scale(&args)).await,
        Command::Hpa(args) => Box::pin(hpa::hpa(&args)).await,
        Command::Balance(args) => Box::pin(balance::balance(&args)).await,
        Command::SlowPod(args) => Box::pin(slow_pod::slow_pod(&args)).await,
        Command::Canary(args) => Box::pin(canary::canary(&args)).await,
        Command::Rollback(args) => Box::pin(rollback::rollback(&args)).await,
        Command::DualRollout(args) => Box::pin(dual_rollout::dual_rollout(&args)).await,
    }
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
