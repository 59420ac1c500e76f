//! The verbs of `cargo xtask cluster`, with their output. Options come parsed; errors go to whoever prints them.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::Doing;
use crate::layout::Layout;
use crate::{Cluster, Options, Result};

/// `cluster up`. Ctrl-C ends it with [`crate::Error::Interrupted`] and nothing left.
pub fn up(options: &Options) -> Result<Cluster> {
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Once `up` has ended, a signal does again what it did before.
        flag::register_conditional_default(signal, Arc::clone(&done)).doing(|| "watching for Ctrl-C".into())?;
        flag::register(signal, Arc::clone(&stop)).doing(|| "watching for Ctrl-C".into())?;
    }
    let result = Cluster::up_unless(options, stop);
    done.store(true, Ordering::Relaxed);
    if result.is_ok() && !options.quiet {
        eprintln!("           use it: cargo xtask cluster shell | cargo xtask cluster exec -- kubectl get nodes");
    }
    result
}

/// `cluster down`.
pub fn down(root: &Path, quiet: bool) -> Result<()> {
    if !Cluster::down(root, quiet)? && !quiet {
        eprintln!("there is no cluster below {}", root.display());
    }
    Ok(())
}

/// `cluster status`: prints to stdout; true if it is up.
pub fn status(root: &Path, json: bool) -> Result<bool> {
    let status = Cluster::status(root)?;
    let text = if json {
        let json = serde_json::to_string_pretty(&status).map_err(io::Error::from);
        json.doing(|| "writing the status".into())? + "\n"
    } else {
        status.to_string()
    };
    match io::stdout().write_all(text.as_bytes()) {
        // `status | head` is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).doing(|| "writing the status".into()),
        _ => Ok(status.up),
    }
}

/// `cluster exec -- PROGRAM …`: becomes the program, in the client's network namespace, so that its signals and its
/// exit code are the caller's. Returns only if it cannot be started.
pub fn exec(root: &Path, words: &[OsString]) -> Result<std::convert::Infallible> {
    let cluster = Cluster::find(root)?;
    let (program, arguments) =
        words.split_first().map_or((OsStr::new("kubectl"), words), |(first, rest)| (first.as_os_str(), rest));
    let mut command = cluster.client_command(program);
    command.args(arguments);
    become_program(&mut command)
}

/// `cluster shell`: bash in the client's network namespace, with KUBECONFIG and kubectl.
pub fn shell(root: &Path) -> Result<std::convert::Infallible> {
    let cluster = Cluster::find(root)?;
    let mut command = cluster.client_command("bash");
    command.arg("--rcfile").arg(Layout::new(root).shell_rc()).arg("-i");
    become_program(&mut command)
}

fn become_program(command: &mut Command) -> Result<std::convert::Infallible> {
    let error = command.exec();
    Err(error).doing(|| format!("starting {}", command.get_program().to_string_lossy()))
}
