//! Two runs, or two sets of repeats, held against each other: what changed, and whether that is more than chance.
//!
//! Within one run requests are not independent of each other, and two runs of one kind differ by more than chance within
//! a run. So latency is judged by drawing blocks of time, and with repeats on both sides the run is the unit of every
//! test. A comparison of two single runs is about these two, and says so.

mod differences;
mod figures;
mod sample;
mod words;

pub use sample::{Sample, sample};

use crate::report::schema::{
    ComparedRun, ComparedSide, Comparison, Difference, DifferenceKind, Judgement, LatencyChange, SCHEMA_VERSION,
};
use crate::stats::CONFIDENCE;

/// Compares. Either side has at least one run.
pub fn compare(a: &[Sample], b: &[Sample]) -> Comparison {
    let mut found: Vec<Difference> = Vec::new();
    // Every run against the first: repeats of one side that were asked differently are no repeats.
    if let Some((first, rest)) = a.split_first() {
        for other in rest.iter().chain(b) {
            for difference in differences::differences(&first.report, &other.report) {
                if !found.contains(&difference) {
                    found.push(difference);
                }
            }
        }
    }
    for (name, side) in [("a", a), ("b", b)] {
        found.extend(side.iter().flat_map(|run| differences::quality(name, &run.report)));
    }
    let (failures, latency) = (figures::failures(a, b), figures::latency(a, b));
    let mut comparison = Comparison {
        schema_version: SCHEMA_VERSION,
        tool: format!("podwitness {}", env!("CARGO_PKG_VERSION")),
        a: side(a),
        b: side(b),
        confidence_ratio: CONFIDENCE,
        comparable: found.iter().all(|difference| difference.kind == DifferenceKind::Factor),
        differences: found,
        verdict: verdict(failures.judgement, latency.as_ref()),
        failures,
        causes: figures::causes(a, b),
        latency,
        hops: figures::hops(a, b),
        findings: Vec::new(),
        notes: Vec::new(),
        thresholds: Vec::new(),
    };
    comparison.findings = words::findings(&comparison);
    comparison.notes = words::notes(&comparison);
    comparison
}

fn side(runs: &[Sample]) -> ComparedSide {
    let (failed, sent) = figures::counts(runs);
    ComparedSide {
        label: runs.first().map(|run| crate::report::answers::label(&run.report)).unwrap_or_default(),
        runs: runs
            .iter()
            .map(|run| ComparedRun {
                run_id: run.report.run.id.clone(),
                started_at: run.report.run.started_at.clone(),
                complete: run.report.run.complete,
                ledger: run.report.ledger.clone(),
            })
            .collect(),
        sent,
        failed,
    }
}

fn verdict(failures: Judgement, latency: Option<&LatencyChange>) -> Judgement {
    let mut all = vec![failures];
    all.extend(latency.iter().flat_map(|latency| [latency.p50.judgement, latency.p99.judgement]));
    let any = |wanted| all.contains(&wanted);
    match (any(Judgement::Better), any(Judgement::Worse)) {
        (true, true) => Judgement::Mixed,
        (true, false) => Judgement::Better,
        (false, true) => Judgement::Worse,
        (false, false) if any(Judgement::Undecided) => Judgement::Undecided,
        (false, false) => Judgement::Same,
    }
}
