//! The engine prints a line of its own to stdout, where only results belong.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

/// While this lives, what is written to stdout goes nowhere.
#[derive(Debug)]
pub struct QuietStdout {
    saved: OwnedFd,
}

impl QuietStdout {
    /// Starts it.
    pub fn start() -> io::Result<Self> {
        io::stdout().flush()?;
        let saved = nix::unistd::dup(io::stdout())?;
        let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
        nix::unistd::dup2_stdout(nowhere)?;
        Ok(Self { saved })
    }
}

impl Drop for QuietStdout {
    fn drop(&mut self) {
        // A stdout that cannot be flushed or put back cannot be told to anybody either.
        let _ = io::stdout().flush();
        let _ = nix::unistd::dup2_stdout(&self.saved);
    }
}
