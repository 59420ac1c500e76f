//! `cargo xtask bench`: what watching and correlating cost, as ratios within one run.

use anyhow::Result;
use clap::Args;

use crate::run::{Steps, cargo, run};

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Only the benchmarks of this part
    #[arg(value_enum)]
    pub part: Option<Part>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Latency of requests with and without the eBPF programs, and the programs' own time (root)
    Overhead,
    /// From raw records to the report, for 10,000 to 1,000,000 requests
    Correlate,
}

/// Runs them. Figures are for reading: machines differ, so nothing here passes or fails.
pub fn bench(args: &BenchArgs) -> Result<()> {
    let parts = [
        (Part::Overhead, "observer", "overhead", "2 min with the first build"),
        (Part::Correlate, "loadgen", "correlate", "5 min with the first build"),
    ];
    let wanted: Vec<_> = parts.into_iter().filter(|(part, ..)| args.part.is_none_or(|only| only == *part)).collect();
    let mut steps = Steps::new(wanted.len());
    for (_, package, name, usual) in wanted {
        steps.next(name, usual);
        run(cargo().args(["bench", "-p", package, "--bench", name]))?;
    }
    Ok(())
}
