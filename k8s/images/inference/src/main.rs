//! The lab's inference server.
//!
//! Stands where the lab puts `hashicorp/http-echo`: the same flags, the same answer, the same log line and, above all, the same way to
//! die. On top it names its pod in every answer and can be told to be slow, to fail or to burn CPU: by flag, by environment, per
//! request, and at run time (`POST /_admin?delay_ms=200`), so that one pod of many can be changed.

mod access_log;
mod answer;
mod args;
mod behaviour;
mod burn;
mod connection;
mod listen;
mod server;
mod stats;
mod switches;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    let args = args::Args::parse_from(args::with_double_dashes(std::env::args_os()));
    // One thread: the work is waiting. CPU burning gets threads of its own, as many as there are requests that burn.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(64)
        .thread_keep_alive(std::time::Duration::from_secs(1))
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(server::run(args))?;
    // A burning thread must not hold the exit.
    runtime.shutdown_background();
    Ok(code)
}
