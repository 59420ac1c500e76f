//! Two runs of one experiment, without and with the change.

use super::{Comparison, Derived, FixRun, Outcome, ProveFix};
use crate::report::schema::{Report, SCHEMA_VERSION};
use crate::stats::{WITHIN_RUN, below_if_none, clopper_pearson, fisher_p, ratio};

/// Below this, chance is ruled out: one wrong claim in a hundred proofs at most.
const SIGNIFICANT: f64 = 0.01;

/// What both runs prove.
pub fn prove(derived: Derived, as_it_is: (&str, &Report), with_fix: (&str, &Report)) -> ProveFix {
    let (before, after) = (run(as_it_is), run(with_fix));
    let requests = fisher_p((before.ledger.failed, before.ledger.sent), (after.ledger.failed, after.ledger.sent));
    let deletions = fisher_p(
        (before.deletions_with_losses_count, before.deletions_count),
        (after.deletions_with_losses_count, after.deletions_count),
    );
    let significant = requests.is_some_and(|p| p < SIGNIFICANT);
    let fewer = after.failed_ratio < before.failed_ratio;
    // A run that deleted nothing has proved nothing.
    let comparable = before.complete && after.complete && after.deletions_count > 0;
    let outcome = match (comparable, significant && fewer, after.ledger.failed) {
        (false, ..) => Outcome::Incomplete,
        (true, true, 0) => Outcome::Proven,
        (true, true, _) => Outcome::Reduced,
        (true, false, _) => Outcome::NotHelped,
    };
    let p = requests.map_or_else(String::new, |p| format!(" (p {}, Fisher's exact test)", p_words(p)));
    let (lost, left) = (losses(&before), losses(&after));
    let claim = match outcome {
        Outcome::Proven => format!("The change cures it: without it {lost}; with it {left}{p}."),
        Outcome::Reduced => format!("The change helps but does not cure: without it {lost}; with it still {left}{p}."),
        Outcome::NotHelped => format!("The change is not shown to help: without it {lost}; with it {left}{p}."),
        _ => format!("Nothing is proven, since a run is not complete: without the change {lost}; with it {left}."),
    };
    let mut notes = derived.notes;
    notes.push(
        "The test takes requests as independent. Losses of one deletion come together, so the second p value takes each deletion as one case: with few deletions it cannot get small."
            .to_owned(),
    );
    notes.push("Both runs: same rate and arrivals, same load before and after the action. A pod that waits takes longer to end, so the second run is longer.".to_owned());
    let comparison = Some(Comparison {
        requests_p_value: requests,
        deletions_p_value: deletions,
        significance_level_ratio: SIGNIFICANT,
    });
    let (changes, no_change_known) = (derived.changes, derived.no_change_known);
    let with_fix = Some(after);
    ProveFix { outcome, claim, changes, no_change_known, with_fix, comparison, notes, ..empty(as_it_is, before) }
}

/// What the first run alone says: there was nothing to cure, nothing to cure it with, or it was cut short.
pub fn unproven(derived: Derived, as_it_is: (&str, &Report)) -> ProveFix {
    let report = as_it_is.1;
    let before = run(as_it_is);
    let (outcome, claim) = if !report.run.complete || !derived.changes.is_empty() {
        (Outcome::Incomplete, "The proof was cut short: no second run was measured to its end.".to_owned())
    } else if report.ledger.failed == 0 {
        let below = before.failed_below_ratio.map_or_else(String::new, |below| {
            format!(" With 95 % confidence fewer than {:.3} % of requests fail as it is.", below * 100.0)
        });
        (Outcome::NothingFailed, format!("There is nothing to fix: {}.{below}", losses(&before)))
    } else {
        (Outcome::NoChangeKnown, format!("No change is known to help: {}.", losses(&before)))
    };
    let Derived { changes, no_change_known, notes } = derived;
    ProveFix { outcome, claim, changes, no_change_known, notes, ..empty(as_it_is, before) }
}

fn empty((_, report): (&str, &Report), as_it_is: FixRun) -> ProveFix {
    ProveFix {
        schema_version: SCHEMA_VERSION,
        tool: report.tool.clone(),
        experiment: report.experiment.clone(),
        outcome: Outcome::Incomplete,
        claim: String::new(),
        changes: Vec::new(),
        no_change_known: std::collections::BTreeMap::new(),
        as_it_is,
        with_fix: None,
        comparison: None,
        notes: Vec::new(),
    }
}

fn run((dir, report): (&str, &Report)) -> FixRun {
    let ledger = report.ledger.clone();
    let interval = clopper_pearson(ledger.failed, ledger.sent, WITHIN_RUN);
    FixRun {
        dir: dir.to_owned(),
        run_id: report.run.id.clone(),
        started_at: report.run.started_at.clone(),
        complete: report.run.complete,
        failed_ratio: ratio(ledger.failed, ledger.sent),
        failed_low_ratio: interval.map(|interval| interval.low),
        failed_high_ratio: interval.map(|interval| interval.high),
        failed_below_ratio: below_if_none(ledger.sent, WITHIN_RUN).filter(|_| ledger.failed == 0),
        deletions_count: report.deletions.len() as u64,
        deletions_with_losses_count: report.deletions.iter().filter(|deletion| deletion.failed > 0).count() as u64,
        ledger,
    }
}

/// "168 of 6271 requests failed (2.68 %; 95 %: 2.29 to 3.11 %)".
fn losses(run: &FixRun) -> String {
    let (failed, sent) = (run.ledger.failed, run.ledger.sent);
    if let Some(below) = run.failed_below_ratio {
        return format!("0 of {sent} requests failed (below {:.3} % with 95 % confidence)", below * 100.0);
    }
    let percent = |ratio: Option<f64>| ratio.map_or(f64::NAN, |ratio| ratio * 100.0);
    format!(
        "{failed} of {sent} requests failed ({:.2} %; 95 %: {:.2} to {:.2} %)",
        percent(run.failed_ratio),
        percent(run.failed_low_ratio),
        percent(run.failed_high_ratio)
    )
}

/// "= 0.031", "< 1e-6".
pub(super) fn p_words(p: f64) -> String {
    let digits = if p < 0.001 { 6 } else { 3 };
    if p < 1e-6 { "< 0.000001".to_owned() } else { format!("= {p:.digits$}") }
}
