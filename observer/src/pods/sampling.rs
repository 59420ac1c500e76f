//! Reads something of every pod again and again, in a thread of its own, while a run is open. Without a run nothing is read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Where there are many pods, readings are farther apart: they take at most one in so many parts of a CPU.
const LEAST_PAUSE: u32 = 200;
/// The tree is searched for new pods this often.
const SEARCH_PERIOD_NS: u64 = 1_000_000_000;

/// What is read.
pub trait Sampler {
    /// What a reading tells.
    type Told;
    /// How far apart readings are, at least.
    const PERIOD: Duration;

    /// Looks for pods.
    fn search(&mut self);

    /// Reads of each that was found, and tells what has happened since the reading before.
    fn read(&mut self, at_ns: u64) -> Vec<Self::Told>;
}

/// Reads with a new sampler for each time that `wanted` says so, until `report` says stop (returns false).
pub fn spawn<S: Sampler>(
    name: &str,
    wanted: Arc<AtomicBool>,
    clock_ns: fn() -> u64,
    new: impl Fn() -> S + Send + 'static,
    mut report: impl FnMut(Vec<S::Told>) -> bool + Send + 'static,
) -> io::Result<()> {
    let run = move || {
        let (mut sampler, mut pause, mut searched_ns): (Option<S>, _, _) = (None, S::PERIOD, 0);
        loop {
            thread::sleep(pause);
            if !wanted.load(Ordering::Relaxed) {
                (sampler, pause, searched_ns) = (None, S::PERIOD, 0);
                continue;
            }
            let sampler = sampler.get_or_insert_with(&new);
            let now_ns = clock_ns();
            if searched_ns == 0 || now_ns.saturating_sub(searched_ns) >= SEARCH_PERIOD_NS {
                sampler.search();
                searched_ns = now_ns;
            }
            let at_ns = clock_ns();
            let began = used();
            let told = sampler.read(at_ns);
            pause = S::PERIOD.max(used().saturating_sub(began) * LEAST_PAUSE);
            if !told.is_empty() && !report(told) {
                return;
            }
        }
    };
    thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// This thread's time on a CPU. On a busy node a reading takes long because nobody lets it run, and that is when it is wanted most.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
