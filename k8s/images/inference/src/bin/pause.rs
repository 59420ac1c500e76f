//! The pod's first process: holds its namespaces open, collects orphans, leaves when told.

use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

fn main() -> ExitCode {
    // Blocked and waited for: process 1 of a namespace gets no signal that it neither handles nor blocks.
    let signals: SigSet = [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    if let Err(error) = signals.thread_block() {
        eprintln!("pause: cannot block signals: {error}");
        return ExitCode::FAILURE;
    }
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => reap(),
            Ok(_) => return ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("pause: cannot wait for signals: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
}

/// Several children may have ended behind one signal.
fn reap() {
    while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(_)) {}
}
