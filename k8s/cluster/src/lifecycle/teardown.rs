//! Removing every trace. The same few steps after a clean run, a failed one and one that was killed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::fixed_paths;
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
    Node::possible(Options::default().pod_subnet)
}

/// Removes what [`leftovers`] lists and undoes what the journal says. A step that fails does not stop the others, but
/// then the journal stays, for another try.
pub(super) fn remove_everything(root: &Path, steps: &Steps) -> Result<()> {
    let layout = Layout::new(root);
    let mut problems = Problems(Vec::new());
    let journal = Journal::load(&layout).unwrap_or_else(|error| {
        steps.say(format!("{error}; going by names alone"));
        None
    });
    if journal.is_none() {
        steps.say(format!("there is no journal: {} stay as they are", sysctl::names()));
    }
    let same_boot = journal.as_ref().is_some_and(|journal| journal.is_of_this_boot().unwrap_or(false));
    let hierarchies = Hierarchies::discover()?;
    // All at once: nothing of it will be used again, and an order would only give the daemons time to react.
    problems.note(hierarchies.kill(CGROUP, PATIENCE));
    steps.say("daemons and pods ended");

    problems.note(mounts::unmount_below(root));
    problems.note(network::remove(&nodes()));
    problems.note(hierarchies.remove(CGROUP, PATIENCE));
    if let Some(journal) = journal.as_ref().filter(|_| same_boot) {
        for path in &journal.mounted {
            problems.note(unmount_if_mounted(path));
        }
        if let Some(restored) = problems.note(sysctl::restore(&journal.sysctls)).filter(|names| !names.is_empty()) {
            steps.say(format!("restored {}", restored.join(", ")));
        }
        if let Some(before) = &journal.root_controllers {
            hierarchies.restore_root(before);
        }
    }
    fixed_paths::clean(root, journal.iter().flat_map(|journal| &journal.absent_paths));
    steps.say("mounts, namespaces, cgroups and settings as before");

    if problems.0.is_empty() {
        problems.note(remove_root(&layout));
        for parent in journal.iter().flat_map(|journal| journal.made_parents.iter().rev()) {
            // Not empty means that someone else has come to use it.
            let _ = fs::remove_dir(parent);
        }
    }
    problems.0.extend(leftovers(root)?);
    if problems.0.is_empty() { Ok(()) } else { Err(Error::LeftOver(problems.0)) }
}

/// What could not be done.
struct Problems(Vec<String>);

impl Problems {
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error.to_string())).ok()
    }
}

fn unmount_if_mounted(path: &Path) -> Result<()> {
    if mounts::is_mounted(path)? { mounts::unmount(path) } else { Ok(()) }
}

/// Removes the state directory. The journal goes last: until then another `down` can do it all again.
fn remove_root(layout: &Layout) -> Result<()> {
    let journal = layout.journal();
    let entries = fs::read_dir(&layout.root).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| *path != journal).collect::<Vec<_>>() {
        remove_tree(&path)?;
    }
    remove_tree(&layout.root)
}

fn remove_tree(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    // Never descend into a mount: what is in it is not what we would remove.
    mounts::unmount_below(path)?;
    let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.doing(|| format!("removing {}", path.display()))
}
