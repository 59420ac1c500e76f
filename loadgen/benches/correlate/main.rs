//! How long the correlation takes, how much memory, and whether both are linear in the requests:
//! `cargo bench -p loadgen --bench correlate`, or `cargo xtask bench correlate`.
#![allow(missing_docs, clippy::unwrap_used, dead_code, unused_imports)]

mod files;
mod memory;
#[path = "../../tests/correlate/synthetic/mod.rs"]
mod synthetic;

use std::time::Instant;

use loadgen::correlate::correlate;
use loadgen::raw::RawRun;
use observer::record::Outcome;
use synthetic::World;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// The last one is the goal's size.
const SIZES: [u32; 4] = [10_000, 100_000, 300_000, 1_000_000];
/// The best of these counts: what disturbs a measurement only makes it longer.
const TURNS: usize = 3;

fn main() {
    println!("| requests | time | per request | to the line above | memory of its own | raw run in memory |");
    println!("|--:|--:|--:|--:|--:|--:|");
    let mut before: Option<f64> = None;
    for requests in SIZES {
        let empty = memory::live();
        let raw = run(requests);
        let raw_bytes = memory::live() - empty;
        let (mut best_s, mut own_bytes) = (f64::INFINITY, 0);
        for _ in 0..TURNS {
            let loaded = memory::live();
            memory::forget_peak();
            let start = Instant::now();
            let report = correlate(&raw);
            best_s = best_s.min(start.elapsed().as_secs_f64());
            own_bytes = memory::peak() - loaded;
            assert_eq!(report.ledger.sent, u64::from(requests));
            assert_eq!(report.ledger.unaccounted, 0);
        }
        let per_request_us = best_s * 1e6 / f64::from(requests);
        let ratio = before.map_or("–".to_owned(), |before| format!("{:.2}", per_request_us / before));
        let mb = |bytes: usize| format!("{:.0} MB", bytes as f64 / 1e6);
        println!(
            "| {requests} | {best_s:.3} s | {per_request_us:.2} µs | × {ratio} | {} | {} |",
            mb(own_bytes),
            mb(raw_bytes)
        );
        before = Some(per_request_us);
    }
    println!("\nTime per request that does not grow from line to line: linear. Goal: 1,000,000 in 3 s and 500 MB.\n");
    files::packed_and_plain(&run(files::REQUESTS));
}

/// A run at 1,000 requests a second in which one of a thousand is lost.
fn run(requests: u32) -> RawRun {
    let mut world = World::new("rollout");
    world.terminate(100.0, "a", 1_000.0);
    for n in 0..requests {
        let mut flow = world.flow(f64::from(n), ["a", "b", "c"][n as usize % 3]);
        if n % 1_000 == 150 {
            flow = flow.answered(502, 2);
            flow.last().failed(Outcome::Refused, 1);
        }
        world.add(flow);
    }
    world.finish()
}
