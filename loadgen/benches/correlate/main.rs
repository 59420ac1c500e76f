//! How long reading a run's files and its correlation take, how much memory, and whether both are linear in the requests:
//! `cargo bench -p loadgen --bench correlate`, or `cargo xtask bench correlate`.
#![allow(missing_docs, clippy::unwrap_used, dead_code, unused_imports)]

mod files;
mod memory;
#[path = "../../tests/correlate/synthetic/mod.rs"]
mod synthetic;

use std::time::Instant;

use loadgen::correlate::correlate;
use loadgen::raw::read_run;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// The last one is the goal's size.
const SIZES: [u32; 4] = [10_000, 100_000, 300_000, 1_000_000];
/// The best of these counts: what disturbs a measurement only makes it longer.
const TURNS: usize = 3;

fn main() {
    files::packed_and_plain();
    println!(
        "\n| requests | read | per request | | run in memory | per request | correlate | per request | | its own memory at most | per request | both at most |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut before: Option<(f64, f64)> = None;
    for requests in SIZES {
        let dir = files::written(requests);
        let empty = memory::live();
        memory::forget_peak();
        let (run, read_s) = timed(|| read_run(dir.path()).unwrap());
        let loaded = memory::live();
        let reading_bytes = memory::peak() - empty;
        let (mut best_s, mut own_bytes) = (f64::INFINITY, 0);
        for _ in 0..TURNS {
            memory::forget_peak();
            let (report, seconds) = timed(|| correlate(&run));
            best_s = best_s.min(seconds);
            own_bytes = memory::peak() - loaded;
            assert_eq!((report.ledger.sent, report.ledger.unaccounted), (u64::from(requests), 0));
            assert_eq!(report.completeness.requests_seen_at_gateway, Some(u64::from(requests)));
            assert_eq!(report.completeness.join_conflicts, Some(0));
        }
        let us = |seconds: f64| seconds * 1e6 / f64::from(requests);
        let ratio =
            |now: f64, before: Option<f64>| before.map_or("–".to_owned(), |before| format!("× {:.2}", now / before));
        let (mb, each) = (|bytes: usize| bytes as f64 / 1e6, |bytes: usize| bytes / requests as usize);
        println!(
            "| {requests} | {read_s:.2} s | {:.2} µs | {} | {:.0} MB | {} B | {best_s:.3} s | {:.2} µs | {} | {:.0} MB | {} B | {:.0} MB |",
            us(read_s),
            ratio(us(read_s), before.map(|(read, _)| read)),
            mb(loaded - empty),
            each(loaded - empty),
            us(best_s),
            ratio(us(best_s), before.map(|(_, correlated)| correlated)),
            mb(own_bytes),
            each(own_bytes),
            mb((loaded - empty + own_bytes).max(reading_bytes)),
        );
        before = Some((us(read_s), us(best_s)));
    }
    println!("\nPer request as much as in the line above: linear. Goal: 1,000,000 correlated in 3 s and 500 MB.");
}

fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let done = what();
    (done, start.elapsed().as_secs_f64())
}
