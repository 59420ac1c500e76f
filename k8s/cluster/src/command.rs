//! Running a program to its end.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::unistd::{Pid, getppid};

use crate::error::Doing;
use crate::{Error, Result};

// sbin is not always in a user's PATH, and a daemon needs iptables and mount wherever it was started from.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds a program in PATH or in the system's own directories.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(SYSTEM_PATH.split(':'))
        .filter(|dir| !dir.is_empty())
        .map(|dir| Path::new(dir).join(name))
        .find(|candidate| candidate.is_file())
}

/// The PATH of daemons and of the user's commands: our programs first.
pub(crate) fn path_with(bin_dir: &Path) -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    let separator = if inherited.is_empty() { "" } else { ":" };
    format!("{}:{inherited}{separator}{SYSTEM_PATH}", bin_dir.display())
}

/// A command of the machine itself, such as `ip`.
pub(crate) fn system(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(find_program(name).unwrap_or_else(|| name.into()));
    command.args(arguments);
    command
}

/// Runs a command to its end; a failure carries what it printed. The command ends with us, also when we are killed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    end_with_this_thread(command);
    let output = command.output().doing(|| format!("starting {}", name_of(command)))?;
    finish(command, &output)
}

/// As [`run`], with `input` as the command's standard input.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
    let doing = format!("running {}", name_of(command));
    end_with_this_thread(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().doing(|| doing.clone())?;
    let mut pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(pipe) = pipe.as_mut() {
                // A program that ends early breaks the pipe; its own message says why.
                let _ = pipe.write_all(input.as_bytes());
            }
            drop(pipe);
        });
        child.wait_with_output()
    });
    finish(command, &output.doing(|| doing)?)
}

/// Has the kernel kill the command when the thread that starts it is gone. Only for a thread that waits for it: an
/// `up` that was killed would otherwise leave a kubectl that waits for an API server.
#[expect(unsafe_code, reason = "only the child itself can ask for the signal")]
fn end_with_this_thread(command: &mut Command) {
    let us = Pid::this();
    let ask = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // We were gone before it could ask.
        if getppid() != us {
            raise(Signal::SIGKILL)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only (prctl, getppid, kill); it neither allocates
    // nor takes a lock.
    unsafe { command.pre_exec(ask) };
}

fn finish(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let printed = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    Err(Error::Command {
        command: line_of(command),
        status: output.status.to_string(),
        output: tail_of(&String::from_utf8_lossy(printed), 20),
    })
}

/// The last lines of a text.
pub(crate) fn tail_of(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_command_ends_with_the_thread_that_waits_for_it() {
        let start = || {
            let mut command = system("sleep", &["60"]);
            end_with_this_thread(&mut command);
            command.spawn().unwrap()
        };
        let mut child = std::thread::spawn(start).join().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }

    #[test]
    fn a_command_runs_to_its_end() {
        assert_eq!(run(&mut system("echo", &["done"])).unwrap(), "done\n");
        assert_eq!(run_with_input(&mut system("cat", &[]), "in and out").unwrap(), "in and out");
        assert!(run(&mut system("false", &[])).unwrap_err().to_string().contains("exit status: 1"));
    }
}
