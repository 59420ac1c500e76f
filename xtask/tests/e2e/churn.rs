//! The short form of `cargo xtask truth --churn`.

use anyhow::{Result, ensure};
use verbs::truth::churn::{Churn, churn};

use crate::bench::Bench;

/// Pods come and go and the ledger stays closed: every request has its record, its pod, and its cause. Addresses come back in the
/// long form only: a node takes nine seconds to learn that an address has moved to a new pod, too long for twenty deletions.
pub fn ledger_stays_closed(bench: &Bench) -> Result<()> {
    let wanted = Churn { requests: 8_000, deletions: 16, rate: 250, reuse: false };
    let ledger = churn(&bench.cluster, bench.loadgen_program(), &bench.out, wanted)?;
    let faults = ledger.faults(&wanted);
    ensure!(faults.is_empty(), "{}: {ledger:?}", faults.join(", "));
    Ok(())
}
