//! A process that is still the one we started: a pid alone may have gone to someone else.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A pid together with the time its process started, which no later process with the same pid can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks from boot to the start.
    pub start_ticks: u64,
}

impl ProcessId {
    /// Reads the identity of a running process.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = procfs::process::Process::new(pid).ok()?.stat().ok()?;
        Some(Self { pid, start_ticks: stat.starttime })
    }

    /// Whether this very process still runs. A zombie does not.
    pub fn is_alive(self) -> bool {
        let stat = procfs::process::Process::new(self.pid).and_then(|process| process.stat());
        stat.is_ok_and(|stat| stat.starttime == self.start_ticks && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Resident memory in bytes, if it still runs.
    pub fn resident_bytes(self) -> Option<u64> {
        let stat = procfs::process::Process::new(self.pid).ok()?.stat().ok()?;
        (stat.starttime == self.start_ticks).then(|| stat.rss * procfs::page_size())
    }

    /// Sends SIGKILL, unless the pid is no longer this process.
    pub fn kill(self) {
        if self.is_alive() {
            // It may have ended between the two calls, which is what we want.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_start_time_is_not() {
        let me = ProcessId::of(std::process::id() as i32).unwrap();
        assert!(me.is_alive());
        assert!(me.resident_bytes().unwrap() > 0);
        let other = ProcessId { start_ticks: me.start_ticks + 1, ..me };
        assert!(!other.is_alive());
        assert_eq!(other.resident_bytes(), None);
    }

    #[test]
    fn a_zombie_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = ProcessId::of(child.id() as i32).unwrap();
        for _ in 0..200 {
            if !id.is_alive() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(!id.is_alive());
        child.wait().unwrap();
    }
}
