//! The short form of `cargo xtask truth --churn`.

use anyhow::{Result, ensure};
use verbs::truth::churn::{Churn, churn};

use crate::bench::Bench;

/// Pods come and go, their addresses are used again, and the ledger stays closed: every request has its record, its pod, and its
/// cause.
pub fn ledger_stays_closed(bench: &Bench) -> Result<()> {
    let wanted = Churn { requests: 15_000, deletions: 30, rate: 250, reuse: true };
    let ledger = churn(&bench.cluster, bench.loadgen_program(), &bench.out, wanted)?;
    let faults = ledger.faults(&wanted);
    ensure!(faults.is_empty(), "{}: {ledger:?}", faults.join(", "));
    Ok(())
}
