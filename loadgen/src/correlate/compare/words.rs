//! A comparison in sentences.

use crate::report::schema::{ComparedRun, Comparison, DifferenceKind, Judgement, QuantileChange};

/// Runs on each side from which on a permutation test can reach one in a hundred: 2 of 252 ways.
const ENOUGH_RUNS: usize = 5;

/// What changed.
pub fn findings(comparison: &Comparison) -> Vec<String> {
    let mut out = vec![failures(comparison)];
    if let Some(latency) = &comparison.latency {
        out.push(quantile("The median latency", &latency.p50));
        out.push(quantile("The 99th percentile", &latency.p99));
    } else {
        out.push("Latency cannot be compared: a side has no successful request.".to_owned());
    }
    out
}

fn failures(comparison: &Comparison) -> String {
    let change = &comparison.failures;
    let (a, b) = (&comparison.a, &comparison.b);
    let counts = format!("{} of {} requests failed in A, {} of {} in B", a.failed, a.sent, b.failed, b.sent);
    let (Some(difference), Some(low), Some(high)) =
        (change.difference_ratio, change.difference_low_ratio, change.difference_high_ratio)
    else {
        return format!("{counts}: nothing was sent on a side, so they cannot be compared.");
    };
    let p = match (change.p_runs, change.p_requests) {
        (Some(p), _) => format!("p = {}, permutation of runs", p_words(p)),
        (None, Some(p)) => format!("p = {}, Fisher's exact test", p_words(p)),
        (None, None) => "not tested".to_owned(),
    };
    let what = match change.judgement {
        Judgement::Worse => "B loses significantly more",
        Judgement::Better => "B loses significantly less",
        _ => "no significant difference",
    };
    format!(
        "{counts}: {what} ({:+.3} percentage points, {:.3} to {:.3}; {p}).",
        difference * 100.0,
        low * 100.0,
        high * 100.0
    )
}

fn quantile(name: &str, change: &QuantileChange) -> String {
    let ms = |us: f64| us / 1_000.0;
    let range = match (change.difference_low_us, change.difference_high_us) {
        (Some(low), Some(high)) => format!("{:+.3} ms, {:.3} to {:.3}", ms(change.difference_us), ms(low), ms(high)),
        _ => format!("{:+.3} ms, too little data for an interval", ms(change.difference_us)),
    };
    let what = match change.judgement {
        Judgement::Worse => "is significantly longer in B",
        Judgement::Better => "is significantly shorter in B",
        Judgement::Undecided => "cannot be judged",
        _ => "is not different in a way that is sure and matters",
    };
    format!("{name} {what}: {:.3} ms in A, {:.3} ms in B ({range}).", ms(change.a_us), ms(change.b_us))
}

/// Small chances by their size, others by their digits.
pub fn p_words(p: f64) -> String {
    if p < 0.0001 { format!("{p:.0e}") } else { format!("{p:.4}") }
}

/// What a reader must know.
pub fn notes(comparison: &Comparison) -> Vec<String> {
    let mut out = Vec::new();
    let twice = |run: &ComparedRun| comparison.b.runs.iter().any(|other| other.run_id == run.run_id);
    if comparison.a.runs.iter().any(twice) {
        out.push("A run is on both sides: nothing can be different about it.".into());
    }
    let count = |kind| comparison.differences.iter().filter(|difference| difference.kind == kind).count();
    if count(DifferenceKind::Load) > 0 {
        out.push(
            "The sides were asked differently: neither failures nor latency can be held against each other.".into(),
        );
    }
    if count(DifferenceKind::Place) > 0 {
        out.push("The sides ran in different places: a difference may be the place's.".into());
    }
    if count(DifferenceKind::Quality) > 0 {
        out.push("A side is not whole or was disturbed: see the differences.".into());
    }
    if count(DifferenceKind::Factor) > 1 {
        out.push("More than one thing was changed: which of them made the difference cannot be told.".into());
    }
    let (a, b) = (comparison.a.runs.len(), comparison.b.runs.len());
    if a.min(b) == 1 {
        out.push(
            "Fisher's and the rank test take requests as independent; failures of one deletion come together. A claim about the kind of run, and not about these runs, needs repeats on both sides (--runs 5)."
                .into(),
        );
    } else if a.min(b) < ENOUGH_RUNS {
        out.push(format!(
            "{a} and {b} runs can be dealt in too few ways to be significant at one in a hundred: at least {ENOUGH_RUNS} on each side are needed."
        ));
    }
    if !comparison.hops.is_empty() {
        out.push(format!(
            "{} stretches are judged one by one: about one figure in a hundred seems changed by chance.",
            comparison.hops.len()
        ));
    }
    out
}
