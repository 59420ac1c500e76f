//! `up`: nothing to do, something to repair, or everything to make.

use std::path::Path;

use super::bring_up::BringUp;
use super::lock::Lock;
use super::{import, prepare, teardown};
use crate::cgroup::Hierarchies;
use crate::cluster::Cluster;
use crate::daemons::{Context, Place};
use crate::journal::Journal;
use crate::layout::Layout;
use crate::steps::Steps;
use crate::{Error, Options, Result, binaries, network, preflight};

/// Ends when the cluster is up as wanted. If it cannot, nothing is left.
pub(crate) fn up(options: &Options, steps: &Steps) -> Result<Cluster> {
    options.validate()?;
    preflight::require(options)?;
    let bin_dir = match &options.bin_dir {
        Some(dir) => dir.clone(),
        None => binaries::ensure_with(steps)?,
    };
    binaries::check_complete(&bin_dir)?;
    let _lock = Lock::take(steps)?;
    network::refuse_foreign(&options.root)?;
    let layout = Layout::new(&options.root);
    if let Some(journal) = Journal::load(&layout)?
        && let Some(cluster) = keep(options, journal, steps)?
    {
        return Ok(cluster);
    }
    if !teardown::leftovers(&options.root)?.is_empty() {
        steps.say("removing what an earlier run left");
        teardown::remove_everything(&options.root, steps)?;
    }
    let made = make(options, &bin_dir, steps);
    if made.is_err() {
        steps.say("that failed; removing what was made");
        if let Err(error) = teardown::remove_everything(&options.root, &steps.unstoppable()) {
            steps.say(format!("{error}; `cluster down` tries again"));
        }
    }
    made
}

/// Keeps a cluster that is up, repairing it where needed; `None` if it has to be made anew.
fn keep(options: &Options, mut journal: Journal, steps: &Steps) -> Result<Option<Cluster>> {
    if !journal.complete || !journal.is_of_this_boot()? {
        return Ok(None);
    }
    let layout = Layout::new(&options.root);
    let cluster = Cluster::from_journal(&layout, &journal);
    let anything_alive = journal.daemons.values().any(|process| process.is_alive());
    if !anything_alive || !network::is_complete(&cluster.node) {
        return Ok(None);
    }
    if let Some(difference) = options.difference(&journal.options) {
        return Err(Error::OtherOptions { difference });
    }
    if journal.daemons.values().all(|process| process.is_alive()) && cluster.node_is_ready().is_ok() {
        import(&cluster.bin_dir, &layout.containerd_socket(&cluster.node), &options.images)?;
        steps.say("the cluster is up already");
        return Ok(Some(cluster));
    }
    let ended = journal.daemons.iter().filter(|(_, process)| !process.is_alive());
    let ended: Vec<String> = ended.map(|(name, _)| name.clone()).collect();
    steps.say(format!(
        "repairing the cluster: {} ended",
        if ended.is_empty() { "nothing has".into() } else { ended.join(", ") }
    ));
    for name in &ended {
        journal.daemons.remove(name);
    }
    // Killed from here on, the next `up` starts anew instead of repairing a repair.
    journal.complete = false;
    let bin_dir = journal.bin_dir.clone();
    match run(options, &bin_dir, &mut journal, &cluster, steps) {
        Ok(()) => Ok(Some(cluster)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            steps.say(format!("it cannot be repaired ({error}); making it anew"));
            Ok(None)
        }
    }
}

fn make(options: &Options, bin_dir: &Path, steps: &Steps) -> Result<Cluster> {
    let layout = Layout::new(&options.root);
    let mut journal = Journal::begin(options, bin_dir)?;
    let cluster = Cluster::from_journal(&layout, &journal);
    let context = Context { layout: &layout, node: &cluster.node, options, bin_dir };
    prepare::prepare(&context, &mut journal, &Hierarchies::discover()?, steps)?;
    run(options, bin_dir, &mut journal, &cluster, steps)?;
    Ok(cluster)
}

fn run(options: &Options, bin_dir: &Path, journal: &mut Journal, cluster: &Cluster, steps: &Steps) -> Result<()> {
    let layout = Layout::new(&options.root);
    journal.save(&layout)?;
    let context = Context { layout: &layout, node: &cluster.node, options, bin_dir };
    let place = Place::open(&cluster.node, &Hierarchies::discover()?)?;
    BringUp { context, journal: &mut *journal, place, cluster, steps }.run()?;
    journal.complete = true;
    journal.save(&layout)?;
    steps.say(format!("the cluster is up: Kubernetes {}, {}", binaries::kubernetes_version(), options.root.display()));
    Ok(())
}
