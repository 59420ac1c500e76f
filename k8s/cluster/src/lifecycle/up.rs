//! `up`: nothing to do, something to repair, or everything to make.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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

/// For so long a process that has closed its sockets is given to be called dead: it gives its memory back first, and the
/// processors may be busy. Only waited for where something has failed.
const DYING: Duration = Duration::from_secs(2);

/// Ends when the cluster is up as wanted. If it cannot, nothing is left.
pub(crate) fn up(options: &Options, steps: &Steps) -> Result<Cluster> {
    options.validate()?;
    preflight::require_root()?;
    if let Some(cluster) = keep(options, &Lock::take(steps)?, steps)? {
        return Ok(cluster);
    }
    preflight::require(options)?;
    let bin_dir = bin_dir(options)?;
    if options.bin_dir.is_none() {
        // Without the lock: it can take minutes.
        binaries::ensure_with(steps)?;
    }
    binaries::check_complete(&bin_dir)?;
    let lock = Lock::take(steps)?;
    // Another process may have been faster meanwhile.
    if let Some(cluster) = keep(options, &lock, steps)? {
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

fn bin_dir(options: &Options) -> Result<PathBuf> {
    options.bin_dir.clone().map_or_else(binaries::directory, Ok)
}

/// Keeps a cluster that is up, repairing it where needed; `None` if it has to be made anew.
fn keep(options: &Options, _lock: &Lock, steps: &Steps) -> Result<Option<Cluster>> {
    network::refuse_foreign(&options.root)?;
    let layout = Layout::new(&options.root);
    let Some(mut journal) = Journal::load(&layout)? else { return Ok(None) };
    let cluster = Cluster::from_journal(&layout, &journal);
    if !journal.complete || !journal.is_of_this_boot()? || !network::is_complete(&cluster.nodes) {
        return Ok(None);
    }
    if let Some(difference) = difference(options, &journal)? {
        return Err(Error::OtherOptions { difference });
    }
    let mut ended = ended(&journal);
    if ended.is_empty() && cluster.nodes_are_ready().is_ok() {
        let sockets: Vec<PathBuf> = cluster.nodes.iter().map(|node| layout.containerd_socket(node)).collect();
        if let Err(error) = import(&cluster.bin_dir, &sockets, &options.images) {
            ended = ended_meanwhile(&journal);
            if ended.is_empty() {
                return Err(error);
            }
        } else {
            steps.say("the cluster is up already");
            return Ok(Some(cluster));
        }
    }
    let what = if ended.is_empty() { "a node is not Ready".into() } else { format!("{} ended", ended.join(", ")) };
    steps.say(format!("repairing the cluster: {what}"));
    // Killed from here on, the next `up` starts anew instead of repairing a repair.
    journal.complete = false;
    let bin_dir = journal.bin_dir.clone();
    let mut first = true;
    loop {
        journal.daemons.retain(|_, process| process.is_alive());
        let error = match run(options, &bin_dir, &mut journal, &cluster, steps) {
            Ok(()) => return Ok(Some(cluster)),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => error,
        };
        // What killed one daemon may have been at another when we looked.
        let ended = if first { ended_meanwhile(&journal) } else { Vec::new() };
        if ended.is_empty() {
            steps.say(format!("it cannot be repaired ({error}); making it anew"));
            return Ok(None);
        }
        steps.say(format!("{} ended meanwhile: once more", ended.join(", ")));
        first = false;
    }
}

/// The daemons that no longer run.
fn ended(journal: &Journal) -> Vec<String> {
    let ended = journal.daemons.iter().filter(|(_, process)| !process.is_alive());
    ended.map(|(name, _)| name.clone()).collect()
}

/// The daemons whose end may be why something just failed. A process that is killed closes its sockets before the
/// kernel calls it dead, so that the dead are looked for a little longer than the failure took.
fn ended_meanwhile(journal: &Journal) -> Vec<String> {
    let started = Instant::now();
    loop {
        let ended = ended(journal);
        if !ended.is_empty() || started.elapsed() > DYING {
            return ended;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What forbids to take the cluster that is up for the one that is wanted.
fn difference(options: &Options, journal: &Journal) -> Result<Option<String>> {
    let mut differences: Vec<String> = options.difference(&journal.options).into_iter().collect();
    if journal.bin_dir != bin_dir(options)? {
        differences.push(format!("its programs are those in {}", journal.bin_dir.display()));
    }
    Ok((!differences.is_empty()).then(|| differences.join(", ")))
}

fn make(options: &Options, bin_dir: &Path, steps: &Steps) -> Result<Cluster> {
    let layout = Layout::new(&options.root);
    let mut journal = Journal::begin(options, bin_dir)?;
    let cluster = Cluster::from_journal(&layout, &journal);
    let context = Context { layout: &layout, node: cluster.node(), options, bin_dir };
    prepare::prepare(&context, &cluster.nodes, &mut journal, &Hierarchies::discover()?, steps)?;
    run(options, bin_dir, &mut journal, &cluster, steps)?;
    Ok(cluster)
}

fn run(options: &Options, bin_dir: &Path, journal: &mut Journal, cluster: &Cluster, steps: &Steps) -> Result<()> {
    let layout = Layout::new(&options.root);
    journal.save(&layout)?;
    let context = Context { layout: &layout, node: cluster.node(), options, bin_dir };
    let hierarchies = Hierarchies::discover()?;
    let places = cluster.nodes.iter().map(|node| Place::open(node, &hierarchies)).collect::<Result<Vec<_>>>()?;
    BringUp { context, journal: &mut *journal, places, cluster, steps }.run()?;
    journal.complete = true;
    journal.save(&layout)?;
    steps.say(format!("the cluster is up: Kubernetes {}, {}", binaries::kubernetes_version(), options.root.display()));
    Ok(())
}
