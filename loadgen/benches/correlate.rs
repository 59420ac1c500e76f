//! How long the correlation takes: `cargo bench -p loadgen --bench correlate`.
#![allow(missing_docs, clippy::unwrap_used, dead_code, unused_imports)]

#[path = "../tests/correlate/synthetic/mod.rs"]
mod synthetic;

use divan::counter::ItemsCount;
use loadgen::correlate::correlate;
use loadgen::raw::RawRun;
use observer::record::Outcome;
use synthetic::World;

fn main() {
    divan::main();
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

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 3, sample_size = 1)]
fn whole_report(bencher: divan::Bencher<'_, '_>, requests: u32) {
    let raw = run(requests);
    bencher.counter(ItemsCount::new(requests)).bench_local(|| correlate(&raw));
}
