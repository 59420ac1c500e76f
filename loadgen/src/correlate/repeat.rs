//! Several runs of one kind, pooled.

use crate::report::schema::{
    Latency, PooledFailures, PooledMean, RepeatedRun, Repeats, Report, SCHEMA_VERSION, ShareOfRuns,
};
use crate::stats::{CONFIDENCE, clopper_pearson, mean_interval, pooled_ratio};

/// Pools runs, of which `wanted` were asked for. There is at least one.
pub fn pool(reports: &[Report], wanted: u64) -> Repeats {
    let runs: Vec<RepeatedRun> = reports.iter().enumerate().map(|(at, report)| run(at, report)).collect();
    let lost = runs.iter().filter(|run| run.ledger.failed > 0).count() as u64;
    let share = clopper_pearson(lost, runs.len() as u64, CONFIDENCE);
    Repeats {
        schema_version: SCHEMA_VERSION,
        tool: format!("podwitness {}", env!("CARGO_PKG_VERSION")),
        label: reports.first().map(crate::report::answers::label).unwrap_or_default(),
        wanted,
        complete: runs.len() as u64 == wanted && runs.iter().all(|run| run.complete),
        failed: failed(&runs),
        runs_that_lost: ShareOfRuns {
            count: lost,
            of_count: runs.len() as u64,
            low_ratio: share.map(|share| share.low),
            high_ratio: share.map(|share| share.high),
        },
        p50: mean(&runs, |run| run.p50_us),
        p99: mean(&runs, |run| run.p99_us),
        confidence_ratio: CONFIDENCE,
        notes: notes(&runs, wanted),
        runs,
    }
}

fn run(at: usize, report: &Report) -> RepeatedRun {
    let latency = |pick: fn(&Latency) -> u64| report.latency.from_due.as_ref().map(pick);
    RepeatedRun {
        dir: (at + 1).to_string(),
        run_id: report.run.id.clone(),
        started_at: report.run.started_at.clone(),
        complete: report.run.complete,
        ledger: report.ledger.clone(),
        p50_us: latency(|latency| latency.p50_us),
        p99_us: latency(|latency| latency.p99_us),
        nat_entries_alive: report.warnings.iter().any(|warning| warning.contains("stale NAT entries")),
        thresholds: report.thresholds.clone(),
    }
}

fn failed(runs: &[RepeatedRun]) -> PooledFailures {
    let counts: Vec<(u64, u64)> = runs.iter().map(|run| (run.ledger.failed, run.ledger.sent)).collect();
    let pooled = pooled_ratio(&counts, CONFIDENCE);
    let between = pooled.and_then(|pooled| pooled.between_runs);
    let method = if between.is_some() {
        "all failures over all requests; the interval is the wider of the binomial one (requests independent) and the one with the run as the unit (ratio estimator, Student's t with runs - 1 degrees of freedom)"
    } else {
        "one run: the binomial interval, which takes requests as independent"
    };
    PooledFailures {
        ratio: pooled.map(|pooled| pooled.ratio),
        low_ratio: pooled.map(|pooled| pooled.interval.low),
        high_ratio: pooled.map(|pooled| pooled.interval.high),
        binomial_low_ratio: pooled.map(|pooled| pooled.binomial.low),
        binomial_high_ratio: pooled.map(|pooled| pooled.binomial.high),
        between_runs_low_ratio: between.map(|between| between.low),
        between_runs_high_ratio: between.map(|between| between.high),
        dispersion_ratio: pooled.and_then(|pooled| pooled.dispersion),
        method: method.to_owned(),
    }
}

fn mean(runs: &[RepeatedRun], pick: impl Fn(&RepeatedRun) -> Option<u64>) -> Option<PooledMean> {
    let values: Vec<u64> = runs.iter().filter_map(pick).collect();
    let as_numbers: Vec<f64> = values.iter().map(|value| *value as f64).collect();
    let (mean, interval) = mean_interval(&as_numbers, CONFIDENCE)?;
    let tenths = |value: f64| (value * 10.0).round() / 10.0;
    Some(PooledMean {
        mean_us: tenths(mean),
        low_us: tenths(interval.low.max(0.0)),
        high_us: tenths(interval.high),
        min_us: *values.iter().min()?,
        max_us: *values.iter().max()?,
    })
}

fn notes(runs: &[RepeatedRun], wanted: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if (runs.len() as u64) < wanted {
        notes.push(format!("{} of {wanted} runs were made", runs.len()));
    }
    let partial = runs.iter().filter(|run| !run.complete).count();
    if partial > 0 {
        notes.push(format!("{partial} of them are not complete"));
    }
    let alive: Vec<&str> = runs.iter().filter(|run| run.nat_entries_alive).map(|run| run.dir.as_str()).collect();
    if !alive.is_empty() {
        notes.push(format!(
            "NAT entries of the run before were still alive when these runs began: {}. They can have lost requests to them, so runs are not independent; --wait-nat waits for their end",
            alive.join(", ")
        ));
    }
    notes
}
