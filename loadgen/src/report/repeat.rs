//! Repeats as text for a terminal.

use super::schema::{PooledMean, Repeats};
use super::summary::{Style, escape, lines};

/// Writes them.
pub fn text(repeats: &Repeats, style: Style) -> String {
    let percent = |ratio: f64| format!("{:.3} %", ratio * 100.0);
    let mut out = style.title(&escape(&format!("{}: {} runs", repeats.label, repeats.runs.len())));
    let mut table = style.table(&["run", "id", "sent", "failed", "ratio", "p50", "p99", "causes"]);
    for run in &repeats.runs {
        let ledger = &run.ledger;
        let causes: Vec<String> = ledger.by_cause.iter().map(|(cause, n)| format!("{} × {n}", cause.name())).collect();
        let ms = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), |us| format!("{:.2} ms", us as f64 / 1e3));
        table.add_row([
            run.dir.clone() + if run.complete { "" } else { " (not complete)" },
            escape(&run.run_id),
            ledger.sent.to_string(),
            ledger.failed.to_string(),
            percent(ledger.failed as f64 / ledger.sent.max(1) as f64),
            ms(run.p50_us),
            ms(run.p99_us),
            causes.join(", "),
        ]);
    }
    out += &lines(&table);
    out.push('\n');
    let sure = format!("{:.0} %", repeats.confidence_ratio * 100.0);
    let failed = &repeats.failed;
    if let (Some(ratio), Some(low), Some(high)) = (failed.ratio, failed.low_ratio, failed.high_ratio) {
        let spread = failed.dispersion_ratio.map_or(String::new(), |ratio| {
            format!("; runs differ {ratio:.1} times as much as independent requests would make them")
        });
        let line = format!("{} ({sure}: {} to {}){spread}", percent(ratio), percent(low), percent(high));
        out += &style.paragraph("failed          ", &line);
    }
    let lost = &repeats.runs_that_lost;
    let range = lost.low_ratio.zip(lost.high_ratio).map_or(String::new(), |(low, high)| {
        format!(" ({sure}: {:.0} to {:.0} % of all such runs)", low * 100.0, high * 100.0)
    });
    out += &style.paragraph("runs that lost  ", &format!("{} of {}{range}", lost.count, lost.of_count));
    for (name, mean) in [("p50             ", &repeats.p50), ("p99             ", &repeats.p99)] {
        out += &mean.as_ref().map_or(String::new(), |mean| style.paragraph(name, &mean_words(mean, &sure)));
    }
    out += &style.paragraph("pooled          ", &failed.method);
    for note in &repeats.notes {
        out += &style.paragraph("  ! ", note);
    }
    out
}

fn mean_words(mean: &PooledMean, sure: &str) -> String {
    let ms = |us: f64| format!("{:.2}", us / 1e3);
    format!(
        "mean {} ms ({sure}: {} to {}), from run to run {} to {} ms",
        ms(mean.mean_us),
        ms(mean.low_us),
        ms(mean.high_us),
        ms(mean.min_us as f64),
        ms(mean.max_us as f64)
    )
}
