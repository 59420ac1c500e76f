//! The figures of a comparison, each judged.

use std::collections::BTreeSet;

use super::sample::{Sample, Values};
use crate::report::schema::{CauseChange, FailureChange, Judgement, LatencyChange, QuantileChange};
use crate::stats::{
    Blocked, CONFIDENCE, Interval, Resampling, fisher_p, holm, mann_whitney, mean_difference, newcombe, permutation_p,
    quantile_changes,
};

/// A latency that changed by less than this is the same for whoever waits for it, however sure the change is.
const RELEVANT: f64 = 0.05;
/// Between the blocks of one run and those of the next.
const RUN_GAP: u64 = 1 << 40;
/// Of the blocks of all runs.
const DRAWN: Resampling =
    Resampling { draws: 1_999, least_blocks: 20, least_beyond: 10.0, seed: 0x9e37_79b9_7f4a_7c15 };

/// `(failed, sent)` of a side.
pub fn counts(side: &[Sample]) -> (u64, u64) {
    side.iter().fold((0, 0), |sum, run| (sum.0 + run.report.ledger.failed, sum.1 + run.report.ledger.sent))
}

fn significant(p: f64) -> bool {
    p < 1.0 - CONFIDENCE
}

/// Less is better.
fn judge(significant: bool, change: f64) -> Judgement {
    match (significant, change) {
        (true, change) if change > 0.0 => Judgement::Worse,
        (true, change) if change < 0.0 => Judgement::Better,
        _ => Judgement::Same,
    }
}

/// All failures.
pub fn failures(a: &[Sample], b: &[Sample]) -> FailureChange {
    let (of_a, of_b) = (counts(a), counts(b));
    let ratio = |(failed, sent): (u64, u64)| (sent > 0).then(|| failed as f64 / sent as f64);
    let per_run = |side: &[Sample]| -> Vec<f64> {
        side.iter().filter_map(|run| ratio((run.report.ledger.failed, run.report.ledger.sent))).collect()
    };
    let (runs_a, runs_b) = (per_run(a), per_run(b));
    let p_runs = permutation_p(&runs_a, &runs_b);
    let p_requests = fisher_p(of_a, of_b);
    let difference = ratio(of_a).zip(ratio(of_b)).map(|(a, b)| b - a);
    let by_requests = newcombe(of_a, of_b, CONFIDENCE);
    // With repeats the run is the unit as well; the wider of the two holds in either case.
    let interval = match (by_requests, mean_difference(&runs_a, &runs_b, CONFIDENCE)) {
        (Some(requests), Some(runs)) => Some(requests.hull(runs)),
        (requests, _) => requests,
    };
    FailureChange {
        a_ratio: ratio(of_a),
        b_ratio: ratio(of_b),
        difference_ratio: difference,
        difference_low_ratio: interval.map(|interval| interval.low),
        difference_high_ratio: interval.map(|interval| interval.high),
        relative_ratio: ratio(of_a).zip(ratio(of_b)).filter(|(a, _)| *a > 0.0).map(|(a, b)| b / a),
        p_requests,
        p_runs,
        judgement: match p_runs.or(p_requests).zip(difference) {
            Some((p, difference)) => judge(significant(p), difference),
            None => Judgement::Undecided,
        },
    }
}

/// Failures of each cause that is on either side.
pub fn causes(a: &[Sample], b: &[Sample]) -> Vec<CauseChange> {
    let all: BTreeSet<_> = a.iter().chain(b).flat_map(|run| run.report.ledger.by_cause.keys().copied()).collect();
    let count =
        |side: &[Sample], cause| -> u64 { side.iter().filter_map(|run| run.report.ledger.by_cause.get(&cause)).sum() };
    let (sent_a, sent_b) = (counts(a).1, counts(b).1);
    let p_values: Vec<f64> = all
        .iter()
        .map(|cause| fisher_p((count(a, *cause), sent_a), (count(b, *cause), sent_b)).unwrap_or(1.0))
        .collect();
    let change = |(cause, p): (crate::report::schema::Cause, f64)| {
        let (of_a, of_b) = (count(a, cause), count(b, cause));
        let shares = of_b as f64 / sent_b.max(1) as f64 - of_a as f64 / sent_a.max(1) as f64;
        CauseChange {
            cause,
            a_count: of_a,
            b_count: of_b,
            p_adjusted: (sent_a > 0 && sent_b > 0).then_some(p),
            judgement: judge(significant(p), shares),
        }
    };
    all.iter().copied().zip(holm(&p_values)).map(change).collect()
}

/// Latency at the client.
pub fn latency(a: &[Sample], b: &[Sample]) -> Option<LatencyChange> {
    let values = |side: &[Sample]| side.iter().map(|run| run.latency.clone()).collect();
    distribution("total_from_due", values(a), values(b))
}

/// Each stretch that was measured in every run.
pub fn hops(a: &[Sample], b: &[Sample]) -> Vec<LatencyChange> {
    let of = |run: &Sample, name: &str| -> Option<Values> {
        run.hops.iter().find(|(other, _)| *other == name).map(|(_, values)| values.clone())
    };
    let Some(first) = a.first() else { return Vec::new() };
    let change = |(name, _): &(&'static str, Values)| {
        let side = |side: &[Sample]| side.iter().map(|run| of(run, name)).collect::<Option<Vec<Values>>>();
        distribution(name, side(a)?, side(b)?)
    };
    first.hops.iter().filter_map(change).collect()
}

fn distribution(name: &str, a: Vec<Values>, b: Vec<Values>) -> Option<LatencyChange> {
    const QUANTILES: [f64; 2] = [0.5, 0.99];
    let per_run = |side: &[Values], q: f64| -> Vec<f64> {
        side.iter().filter_map(|run| Blocked::new(run.iter().copied()).quantile(q)).map(|ns| ns as f64).collect()
    };
    let runs = QUANTILES.map(|q| permutation_p(&per_run(&a, q), &per_run(&b, q)));
    let (a, b) = (pooled(a), pooled(b));
    let changes = quantile_changes(&a, &b, &QUANTILES, CONFIDENCE, &DRAWN)?;
    let [p50, p99] = [0, 1].map(|at| quantile(changes[at], runs[at]));
    let ranks = mann_whitney(&a.sorted(), &b.sorted());
    Some(LatencyChange {
        name: name.to_owned(),
        a_count: a.len() as u64,
        b_count: b.len() as u64,
        p50,
        p99,
        b_slower_ratio: ranks.map(|ranks| ranks.second_larger_ratio),
        p_ranks: ranks.map(|ranks| ranks.p),
    })
}

/// All runs of a side, no block of one being a block of another.
fn pooled(runs: Vec<Values>) -> Blocked {
    let apart =
        |(run, values): (usize, Values)| values.into_iter().map(move |(block, ns)| (run as u64 * RUN_GAP + block, ns));
    Blocked::new(runs.into_iter().enumerate().flat_map(apart))
}

fn quantile(change: crate::stats::QuantileChange, p_runs: Option<f64>) -> QuantileChange {
    let us = |ns: f64| (ns / 10.0).round() / 100.0;
    let (a, b) = (change.a as f64, change.b as f64);
    let sure = match (p_runs, change.difference) {
        (Some(p), _) => Some(significant(p)),
        (None, Some(interval)) => Some(!Interval::contains(interval, 0.0)),
        (None, None) => None,
    };
    let relevant = (b - a).abs() >= RELEVANT * a;
    QuantileChange {
        a_us: us(a),
        b_us: us(b),
        difference_us: us(b - a),
        difference_low_us: change.difference.map(|interval| us(interval.low)),
        difference_high_us: change.difference.map(|interval| us(interval.high)),
        p_runs,
        judgement: sure.map_or(Judgement::Undecided, |sure| judge(sure && relevant, b - a)),
    }
}
