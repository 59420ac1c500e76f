//! Tickets: whoever is free draws the next one, so no worker's slow request holds up another's due time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::Plan;

/// One request to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Number in the schedule.
    pub seq: u64,
    /// When it is due, `CLOCK_MONOTONIC`.
    pub due_ns: u64,
}

/// The tickets of one run.
#[derive(Debug)]
pub struct Tickets {
    plan: Plan,
    next: AtomicU64,
    waiting: AtomicU64,
    workers: u64,
    start: watch::Sender<Option<u64>>,
}

impl Tickets {
    /// None is due before `workers` workers are [`Tickets::ready`].
    pub fn new(plan: Plan, workers: u64) -> Self {
        Self { plan, next: AtomicU64::new(0), waiting: AtomicU64::new(0), workers, start: watch::Sender::new(None) }
    }

    /// A worker is ready. `start_ns` is called by the last of them and says when ticket 0 is due.
    pub fn ready(&self, start_ns: impl FnOnce() -> u64) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            self.start.send_replace(Some(start_ns()));
        }
    }

    /// When ticket 0 is due, once all workers are ready.
    pub fn start_ns(&self) -> Option<u64> {
        *self.start.borrow()
    }

    /// Waits until all workers are ready.
    pub async fn started(&self) -> u64 {
        let mut receiver = self.start.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let start = receiver.wait_for(Option::is_some).await.ok().and_then(|start| *start);
        start.unwrap_or_default()
    }

    /// Draws the next ticket. `None`: there are no more.
    pub fn draw(&self, start_ns: u64) -> Option<Ticket> {
        let seq = self.plan.ticket(self.next.fetch_add(1, Ordering::Relaxed));
        Some(Ticket { seq, due_ns: start_ns + self.plan.due_ns(seq)? })
    }

    /// How long the schedule is.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.plan.length_s())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::*;
    use crate::raw::Schedule;

    #[test]
    fn every_ticket_is_drawn_once_whoever_draws() {
        let plan = Plan::new(&Schedule::Constant { rate_per_s: 10_000.0, duration_s: 2.0 }).unwrap();
        let tickets = Arc::new(Tickets::new(plan, 1));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let tickets = Arc::clone(&tickets);
                std::thread::spawn(move || std::iter::from_fn(|| tickets.draw(0)).map(|t| t.seq).collect::<Vec<_>>())
            })
            .collect();
        let drawn: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(drawn.len(), 20_000);
        assert_eq!(drawn.into_iter().collect::<HashSet<_>>().len(), 20_000);
    }

    #[test]
    fn the_start_waits_for_the_last_worker() {
        let plan = Plan::new(&Schedule::Constant { rate_per_s: 1.0, duration_s: 1.0 }).unwrap();
        let tickets = Tickets::new(plan, 2);
        tickets.ready(|| 1);
        assert_eq!(tickets.start_ns(), None);
        tickets.ready(|| 5);
        assert_eq!(tickets.start_ns(), Some(5));
    }
}
