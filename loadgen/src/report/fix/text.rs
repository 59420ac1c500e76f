//! The proof for a terminal: the claim, the patch, both ledgers side by side.

use std::collections::BTreeSet;

use super::compare::p_words;
use super::{FixRun, Outcome, ProveFix};
use crate::report::schema::Cause;
use crate::report::summary::{Style, escape, lines};

/// Writes it.
pub fn text(proof: &ProveFix, style: Style) -> String {
    let word = match proof.outcome {
        Outcome::Proven => style.good("PROVEN"),
        Outcome::Reduced => style.bad("REDUCED, NOT CURED"),
        Outcome::NotHelped => style.bad("NOT HELPED"),
        Outcome::NoChangeKnown => style.bad("NO CHANGE KNOWN"),
        Outcome::NothingFailed => style.good("NOTHING FAILED"),
        Outcome::Incomplete => style.bad("NOT COMPLETE"),
    };
    let mut out = style.title(&format!("{}  {}, --prove-fix", escape(&proof.tool), escape(&proof.experiment)));
    out += &(word + "\n");
    out += &style.paragraph("  ", &escape(&proof.claim));
    for change in &proof.changes {
        out.push('\n');
        out += &style.title(&format!("Change of deployment/{}", escape(&change.deployment)));
        out += &style.paragraph("  why    ", &escape(&change.why));
        // Not wrapped: it is there to be copied.
        out += "  patch  ";
        out += &escape(&change.kubectl);
        out.push('\n');
    }
    out.push('\n');
    out += &side_by_side(proof, style);
    if let Some(comparison) = &proof.comparison {
        let p = |p: Option<f64>| p.map_or_else(|| "not measured".to_owned(), |p| format!("p {}", p_words(p)));
        out += &style.paragraph(
            "  ",
            &format!(
                "difference, Fisher's exact test, two-sided: by request {}; by deletion {} (significant below {})",
                p(comparison.requests_p_value),
                p(comparison.deletions_p_value),
                comparison.significance_level_ratio
            ),
        );
    }
    for note in &proof.notes {
        out += &style.paragraph("  note: ", &escape(note));
    }
    out
}

fn side_by_side(proof: &ProveFix, style: Style) -> String {
    let runs: Vec<&FixRun> = std::iter::once(&proof.as_it_is).chain(&proof.with_fix).collect();
    let mut table = style.table(&["ledger", "as it is", "with the change"]);
    let mut row = |name: &str, figure: &dyn Fn(&FixRun) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(runs.iter().map(|run| figure(run)));
        cells.resize(3, "–".to_owned());
        table.add_row(cells);
    };
    row("sent", &|run| run.ledger.sent.to_string());
    row("succeeded", &|run| run.ledger.succeeded.to_string());
    row("failed", &|run| run.ledger.failed.to_string());
    let causes: BTreeSet<Cause> = runs.iter().flat_map(|run| run.ledger.by_cause.keys().copied()).collect();
    for cause in causes {
        row(&format!("  {}", cause.name()), &|run| run.ledger.by_cause.get(&cause).unwrap_or(&0).to_string());
    }
    row("unaccounted", &|run| run.ledger.unaccounted.to_string());
    row("failed, ratio", &|run| percent(run.failed_ratio));
    row("  95 % interval", &|run| format!("{} … {}", percent(run.failed_low_ratio), percent(run.failed_high_ratio)));
    row("  below (95 %)", &|run| percent(run.failed_below_ratio));
    row("pods deleted", &|run| run.deletions_count.to_string());
    row("  with losses", &|run| run.deletions_with_losses_count.to_string());
    row("run", &|run| format!("{} ({})", escape(&run.run_id), escape(&run.dir)));
    lines(&table)
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.3} %", ratio * 100.0))
}
