//! Watches whether the load generator runs when it should.
//!
//! On a busy machine the client itself is late: to connect, to write, and to read an answer that has arrived. Neither the kernel's
//! view of the gateway nor that of the pod shows it. So a timer of the same runtime that serves the requests rings two hundred times a
//! second, and what it was late by is written down.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::clock::monotonic_ns;
use super::timer::Timer;
use crate::raw::Lag;

/// From one ring to the next. A standstill is told too short by no more than that.
const PERIOD_NS: u64 = 5_000_000;

/// Shorter lags are not written down.
const LEAST_NS: u64 = 5_000_000;

/// The most that are kept, in memory until the end: an hour and a half with a lag at every second ring. Later ones are not told, and nothing is
/// claimed of them.
const MOST: usize = 1 << 19;

/// The watch, under way.
#[derive(Debug)]
pub struct Lags {
    end: oneshot::Sender<()>,
    task: JoinHandle<Vec<Lag>>,
}

impl Lags {
    /// Begins, on the current runtime.
    pub fn watch() -> Self {
        let (end, ended) = oneshot::channel();
        Self { end, task: tokio::spawn(watch(ended)) }
    }

    /// Ends it: all lags, in order of time.
    pub async fn finish(self) -> Vec<Lag> {
        drop(self.end);
        self.task.await.unwrap_or_default()
    }
}

async fn watch(mut ended: oneshot::Receiver<()>) -> Vec<Lag> {
    let mut lags = Vec::new();
    // Without a timer nothing is told, and nothing is claimed.
    let Ok(mut timer) = Timer::new() else { return lags };
    while lags.len() < MOST {
        let due_ns = monotonic_ns() + PERIOD_NS;
        tokio::select! {
            biased;
            _ = &mut ended => break,
            slept = timer.sleep_until(due_ns) => if slept.is_err() { break },
        }
        let ran_ns = monotonic_ns();
        if ran_ns.saturating_sub(due_ns) >= LEAST_NS {
            lags.push(Lag { due_ns, ran_ns, shard: None });
        }
    }
    lags
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_standstill_is_told_with_its_length() {
        let lags = Lags::watch();
        tokio::time::sleep(Duration::from_millis(30)).await;
        let from_ns = monotonic_ns();
        // The only thread of this runtime does something else.
        std::thread::sleep(Duration::from_millis(200));
        let to_ns = monotonic_ns();
        tokio::time::sleep(Duration::from_millis(30)).await;
        let told = lags.finish().await;
        let inside = |lag: &Lag| lag.ran_ns.min(to_ns).saturating_sub(lag.due_ns.max(from_ns));
        let sum_ns: u64 = told.iter().map(inside).sum();
        assert!(sum_ns + PERIOD_NS >= to_ns - from_ns, "{sum_ns} ns of {} ns: {told:?}", to_ns - from_ns);
    }
}
