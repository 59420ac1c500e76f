//! `loadgen compare A B`: two runs, or two sets of repeats.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Format;
use super::exit::{Failure, THRESHOLD};
use super::output;
use crate::correlate::compare::{Sample, compare, sample};
use crate::raw::read::{raw_dir, read_run};
use crate::report::compare::{Condition, text};
use crate::report::schema::Judgement;

/// As many as --runs takes.
const MOST_RUNS: u32 = 1_000;

pub const HELP: &str = "Examples:
  loadgen rollout --prestop exec --out as-assigned
  loadgen rollout --prestop sleep:5 --wait-nat --out cured
  loadgen compare as-assigned cured
  loadgen compare as-assigned cured --fail-if 'failed_increase>0'
  loadgen compare as-assigned cured --fail-if-worse -o json

A directory of repeats (made with --runs) is compared as a whole: the run is then the unit of every test.";

/// `compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Directory of the first run, or of its repeats.
    pub a: PathBuf,
    /// Directory of the second.
    pub b: PathBuf,
    /// What is written to stdout.
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Format,
    /// Condition under which the exit code is 99, e.g. `failed_increase>0`, `p99_increase>10%`. May be repeated.
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Condition>,
    /// Exit code 99 when B loses significantly more or is significantly slower.
    #[arg(long)]
    pub fail_if_worse: bool,
}

/// Compares.
pub fn run(args: &CompareArgs) -> Result<u8, Failure> {
    let mut comparison = compare(&side(&args.a)?, &side(&args.b)?);
    comparison.thresholds = args.fail_if.iter().map(|condition| condition.evaluate(&comparison)).collect();
    let text = match args.output {
        Format::Table => text(&comparison, output::style()),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&comparison).map_err(Failure::tool)?),
        Format::Ndjson => format!("{}\n", serde_json::to_string(&comparison).map_err(Failure::tool)?),
    };
    output::write(&text)?;
    let worse = matches!(comparison.verdict, Judgement::Worse | Judgement::Mixed);
    let failed = comparison.thresholds.iter().any(|threshold| threshold.failed) || (args.fail_if_worse && worse);
    Ok(if failed { THRESHOLD } else { 0 })
}

fn side(dir: &Path) -> Result<Vec<Sample>, Failure> {
    let repeats = runs_in(dir);
    let dirs = if repeats.is_empty() { vec![dir.to_owned()] } else { repeats };
    // Always from the raw files: a report may have been written by an older version.
    dirs.iter().map(|dir| Ok(sample(&read_run(dir).map_err(Failure::tool)?))).collect()
}

/// The runs of a directory of repeats, in their order; none when it is a single run's.
pub fn runs_in(dir: &Path) -> Vec<PathBuf> {
    if raw_dir(dir).exists() {
        return Vec::new();
    }
    let numbered = (1..=MOST_RUNS).map(|n| dir.join(n.to_string()));
    numbered.take_while(|dir| raw_dir(dir).exists()).collect()
}
