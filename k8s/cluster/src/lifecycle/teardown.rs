//! Removing every trace. The same few steps after a clean run, a failed one and one that was killed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::lock::Lock;
use crate::cgroup::Hierarchies;
use crate::error::Doing;
use crate::journal::Journal;
use crate::layout::Layout;
use crate::node::{CGROUP, CLIENT_NAMESPACE, Node, namespace_path};
use crate::options::Options;
use crate::steps::Steps;
use crate::{Error, Result, mounts, network, sysctl};

const PATIENCE: Duration = Duration::from_secs(20);
/// Directories of tools that every program on the machine may use.
const SHARED_DIRS: [&str; 2] = ["/run/mount", "/run/netns"];

/// `down`: removes the cluster below `root`. True if there was anything.
pub(crate) fn down(root: &Path, steps: &Steps) -> Result<bool> {
    let _lock = Lock::take(steps)?;
    network::refuse_foreign(root)?;
    if leftovers(root)?.is_empty() {
        return Ok(false);
    }
    remove_everything(root, steps)?;
    Ok(true)
}

/// What there is of a cluster below `root`, in words.
pub(crate) fn leftovers(root: &Path) -> Result<Vec<String>> {
    let hierarchies = Hierarchies::discover()?;
    let mut found: Vec<String> = Vec::new();
    found.extend(hierarchies.members(CGROUP).iter().map(|pid| format!("process {pid}")));
    found.extend(hierarchies.existing(CGROUP).iter().map(|dir| format!("cgroup {}", dir.display())));
    for name in nodes().iter().map(Node::name).chain([CLIENT_NAMESPACE.to_owned()]) {
        let path = namespace_path(&name);
        found.extend(path.exists().then(|| format!("network namespace {}", path.display())));
    }
    found.extend(mounts::below(root)?.iter().map(|path| format!("mount {}", path.display())));
    found.extend(root.exists().then(|| format!("directory {}", root.display())));
    Ok(found)
}

/// Every node that can be there, whatever a journal says.
fn nodes() -> Vec<Node> {
    vec![Node { index: 0, pod_subnet: Options::default().pod_subnet }]
}

/// Removes what [`leftovers`] lists and undoes what the journal says.
pub(super) fn remove_everything(root: &Path, steps: &Steps) -> Result<()> {
    let layout = Layout::new(root);
    let journal = Journal::load(&layout).unwrap_or_else(|error| {
        steps.say(format!("{error}; going by names alone"));
        None
    });
    let hierarchies = Hierarchies::discover()?;
    // All at once: nothing of it will be used again, and an order would only give the daemons time to react.
    hierarchies.kill(CGROUP, PATIENCE)?;
    steps.say("daemons and pods ended");

    let same_boot = journal.as_ref().map(Journal::is_of_this_boot).transpose()?.unwrap_or(true);
    mounts::unmount_below(root)?;
    network::remove(&nodes())?;
    if let Some(journal) = journal.as_ref().filter(|_| same_boot) {
        for path in &journal.mounted {
            if mounts::is_mounted(path)? {
                mounts::unmount(path)?;
            }
        }
        let restored = sysctl::restore(&journal.sysctls)?;
        if !restored.is_empty() {
            steps.say(format!("restored {}", restored.join(", ")));
        }
    }
    hierarchies.remove(CGROUP, PATIENCE)?;
    if let Some(journal) = &journal {
        hierarchies.disable_at_root(&journal.enabled_controllers);
        for path in &journal.absent_paths {
            remove_path(path)?;
        }
    }
    remove_strays(root);
    steps.say("mounts, namespaces, cgroups and settings as before");
    // The journal goes last: until then another `down` can do it all again.
    remove_except(root, &layout.journal())?;
    remove_path(root)?;
    for parent in journal.iter().flat_map(|journal| journal.made_parents.iter().rev()) {
        // Not empty means that someone else has come to use it.
        let _ = fs::remove_dir(parent);
    }
    let left = leftovers(root)?;
    if left.is_empty() { Ok(()) } else { Err(Error::LeftOver(left)) }
}

/// Removes a fixed place that did not exist before us.
fn remove_path(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if SHARED_DIRS.iter().any(|shared| path == Path::new(shared)) {
        return remove_if_empty(path);
    }
    // Never descend into a mount: what is in it is not what we would remove.
    mounts::unmount_below(path)?;
    let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.doing(|| format!("removing {}", path.display()))
}

/// A directory that others may have come to use stays if they have. `ip netns add` mounts its own onto itself.
fn remove_if_empty(path: &Path) -> Result<()> {
    let mut entries = fs::read_dir(path).doing(|| format!("reading {}", path.display()))?;
    if entries.next().is_some() {
        return Ok(());
    }
    drop(entries);
    while mounts::is_mounted(path)? {
        mounts::unmount(path)?;
    }
    fs::remove_dir(path).doing(|| format!("removing {}", path.display()))
}

/// Single files in directories that were there before: results of our network, log links into our root.
fn remove_strays(root: &Path) {
    let entries = |dir: &str| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_our_network = entries("/var/lib/cni/results")
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("podwitness-")));
    let into_our_root =
        entries("/var/log/containers").filter(|path| fs::read_link(path).is_ok_and(|target| target.starts_with(root)));
    for path in of_our_network.chain(into_our_root) {
        // They mean nothing to anyone; one that cannot be removed is no reason to stop.
        let _ = fs::remove_file(path);
    }
}

fn remove_except(dir: &Path, kept: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path != kept) {
        remove_path(&path)?;
    }
    Ok(())
}
