//! Scans the cgroup2 tree for pods: inode of a directory (what the kernel calls the cgroup's id) → pod UID.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::walk::{self, Within};

/// Without any request the tree is read this often, so that a container which lives shortly is not missed.
const PERIOD: Duration = Duration::from_secs(1);
/// Requests are answered at most this often: reading a big tree takes milliseconds.
const MIN_PERIOD: Duration = Duration::from_millis(50);

/// Every cgroup below `root` that belongs to a pod.
pub fn scan(root: &Path) -> io::Result<HashMap<u64, Arc<str>>> {
    let mut found = HashMap::new();
    walk::pods(root, |entry, uid| {
        found.insert(entry.ino(), Arc::clone(uid));
        Within::Walk
    })?;
    Ok(found)
}

/// Asks a running scanner for a fresh look. Cheap, and never blocks: requests made while one is waiting are one request.
#[derive(Clone, Debug)]
pub struct ScanRequest(SyncSender<()>);

impl ScanRequest {
    /// Read the tree soon.
    pub fn soon(&self) {
        // Full: a request is waiting already. Disconnected: the agent is ending.
        let _ = self.0.try_send(());
    }
}

/// Reads the tree in a thread of its own until `report` says stop (returns false). `report` gets what was found, and when
/// the reading began by `clock_ns`.
pub fn spawn(
    root: PathBuf,
    clock_ns: fn() -> u64,
    mut report: impl FnMut(HashMap<u64, Arc<str>>, u64) -> bool + Send + 'static,
) -> io::Result<ScanRequest> {
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().name("cgroup-scan".into()).spawn(move || run(&root, clock_ns, &receiver, &mut report))?;
    Ok(ScanRequest(sender))
}

fn run(
    root: &Path,
    clock_ns: fn() -> u64,
    requests: &Receiver<()>,
    report: &mut impl FnMut(HashMap<u64, Arc<str>>, u64) -> bool,
) {
    let mut failed = false;
    loop {
        let started = Instant::now();
        let started_ns = clock_ns();
        match scan(root) {
            Ok(found) => {
                failed = false;
                if !report(found, started_ns) {
                    return;
                }
            }
            Err(error) if !failed => {
                tracing::warn!(root = %root.display(), %error, "the cgroup tree cannot be read: pods are known by address only");
                failed = true;
            }
            Err(_) => {}
        }
        thread::sleep(MIN_PERIOD.saturating_sub(started.elapsed()));
        if let Err(RecvTimeoutError::Disconnected) = requests.recv_timeout(PERIOD) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn pods_and_their_containers_are_found_at_any_depth() {
        let root = tempfile::tempdir().unwrap();
        let uid = "0d4f2a6e-93b1-4c55-a7d0-1b2c3d4e5f60";
        let pod = root.path().join(format!("docker/abc/kubepods/burstable/pod{uid}"));
        let container = pod.join("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        fs::create_dir_all(container.join("inner")).unwrap();
        fs::create_dir_all(root.path().join("system.slice/ssh.service")).unwrap();
        fs::write(root.path().join("cgroup.procs"), "").unwrap();
        let found = scan(root.path()).unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(found.len(), 3);
        for path in [&pod, &container, &container.join("inner")] {
            assert_eq!(&*found[&inode(path)], uid);
        }
    }

    #[test]
    fn a_missing_root_is_an_error() {
        assert!(scan(Path::new("/nonexistent/cgroup")).is_err());
    }
}
