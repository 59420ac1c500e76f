//! Processes that take all the CPU they get: what a node looks like on which others work as well.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// Counts, and looks now and then whether whoever started it is still there. In a session of its own, since the scheduler shares out by
/// sessions: each takes as much as a pod.
const LOOP: &str = "while kill -0 \"$0\" 2>/dev/null; do n=0; while [ $n -lt 200000 ]; do n=$((n + 1)); done; done";

/// They end with this value, or with this process.
#[derive(Debug)]
pub struct Busy(Vec<Child>);

impl Busy {
    /// Starts so many.
    pub fn start(count: u32) -> Result<Self> {
        let mut busy = Self(Vec::new());
        for _ in 0..count {
            let mut command = Command::new("setsid");
            command.args(["sh", "-c", LOOP]).arg(std::process::id().to_string());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            busy.0.push(command.spawn().context("cannot start setsid\n  fix: apt-get install util-linux")?);
        }
        Ok(busy)
    }

    /// How it stands behind a result.
    pub fn in_words(count: u32) -> String {
        match count {
            0 => String::new(),
            1 => " Beside a process that takes all the CPU it gets.".to_owned(),
            n => format!(" Beside {n} processes that take all the CPU they get."),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Busy;

    #[test]
    fn they_run_and_are_gone_with_the_value() {
        let mut busy = Busy::start(2).unwrap();
        let pids: Vec<u32> = busy.0.iter().map(std::process::Child::id).collect();
        assert!(busy.0.iter_mut().all(|child| child.try_wait().unwrap().is_none()));
        drop(busy);
        assert!(pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
    }
}
