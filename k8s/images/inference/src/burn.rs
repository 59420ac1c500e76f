//! CPU time, spent on purpose.

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Keeps this thread computing until it has used that much CPU time. A throttled pod takes longer for it, as real work would.
pub fn burn(cpu_time: Duration) {
    let used = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let Ok(start) = used() else { return };
    let mut x = 0.0001_f64;
    // The clock is a system call: ask it every few tens of microseconds.
    while used().is_ok_and(|now| now.saturating_sub(start) < cpu_time) {
        for _ in 0..5_000 {
            x += black_box(x).sqrt();
        }
    }
    black_box(x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_at_least_what_it_was_asked() {
        let start = std::time::Instant::now();
        burn(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(19), "{:?}", start.elapsed());
    }
}
