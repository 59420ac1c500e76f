//! Bringing image archives into containerd, which has no registry to ask.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::command::run;
use crate::daemons::Context;
use crate::steps::Steps;

/// Waits until containerd answers at its socket.
pub(super) fn wait_for_containerd(context: &Context<'_>, steps: &Steps, alive: impl Fn() -> Result<()>) -> Result<()> {
    let socket = context.layout.containerd_socket(context.node);
    steps.wait("containerd's socket", Duration::from_secs(30), || {
        alive()?;
        Ok(UnixStream::connect(&socket).map(|_| ()).map_err(|error| error.to_string()))
    })
}

/// Imports archives into every containerd, all at once; one that is there already costs only its reading.
pub(crate) fn import(bin_dir: &Path, sockets: &[PathBuf], archives: &[PathBuf]) -> Result<()> {
    std::thread::scope(|scope| {
        let start = |socket| scope.spawn(move || import_into(bin_dir, socket, archives));
        let started: Vec<_> = sockets.iter().map(PathBuf::as_path).map(start).collect();
        started
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn import_into(bin_dir: &Path, socket: &Path, archives: &[PathBuf]) -> Result<()> {
    for archive in archives {
        let mut command = Command::new(bin_dir.join("ctr"));
        command.arg("--address").arg(socket).args(["--namespace", "k8s.io", "images", "import"]).arg(archive);
        run(&mut command)?;
    }
    Ok(())
}

/// Whether an image of this name is there.
pub(super) fn has(bin_dir: &Path, socket: &Path, reference: &str) -> Result<bool> {
    let mut command = Command::new(bin_dir.join("ctr"));
    command.arg("--address").arg(socket).args(["--namespace", "k8s.io", "images", "list", "--quiet"]);
    Ok(run(&mut command)?.lines().any(|line| line == reference))
}
