//! The matrix: printed, as JSON, and in the journal.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::{
    Outcome,
    bench::Bench,
    busy::Busy,
    churn::{Churn, Ledger},
    judge::{self, Matrix, NONE, Score},
};
use crate::run::root;

/// Share of failures without a name from which on the bench fails.
const UNKNOWN_LIMIT: f64 = 0.01;
/// Mistakes that are printed of each run; all are in the JSON.
const SHOWN: usize = 3;

/// One run, for who watches.
pub fn outcome(outcome: &Outcome) {
    let judged = &outcome.judged;
    for (truth, row) in &judged.matrix {
        let cells: Vec<String> = row.iter().map(|(reported, count)| format!("{reported} × {count}")).collect();
        eprintln!("  {truth:26} → {}", cells.join(", "));
    }
    for (truth, count) in &judged.escaped {
        eprintln!("  {truth:26} got a good answer all the same × {count}");
    }
    if judged.unsure > 0 {
        eprintln!("  not judged × {}: sent while the injector was at work", judged.unsure);
    }
    for mistake in judged.mistakes.iter().take(SHOWN) {
        eprintln!("  WRONG {}: {} is called {}", mistake.trace_id, mistake.truth, mistake.reported);
    }
    for problem in &outcome.problems {
        eprintln!("  PROBLEM {problem}");
    }
    match outcome.events_lost {
        Some(0) => {}
        Some(lost) => eprintln!("  the observer lost and counted {lost} kernel events"),
        None => eprintln!("  whether kernel events were lost was not measured"),
    }
}

/// Everything. An error when the diagonal is not all there is.
pub fn matrix(bench: &Bench<'_>, outcomes: &[Outcome], journal: bool) -> Result<()> {
    let mut all = Matrix::new();
    for outcome in outcomes {
        judge::add(&mut all, &outcome.judged.matrix);
    }
    let score = judge::score(&all);
    let faults = faults(bench, outcomes, &all, score);
    let text = table(&all);
    print!("{text}");
    println!("{}", sentence(score));
    let now = jiff::Zoned::now();
    let environment = json!({
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "kubernetes": podwitness_cluster::binaries::kubernetes_version(),
    });
    let file = bench.out.join("matrix.json");
    let runs: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "injector": outcome.injector.name, "about": outcome.injector.about, "truths": outcome.said.truths,
                "unsure": outcome.said.unsure, "judged": outcome.judged, "problems": outcome.problems,
                "events_lost": outcome.events_lost,
            })
        })
        .collect();
    let document = json!({
        "schema_version": 1, "at": now.timestamp().to_string(), "cases_wanted": bench.cases, "busy": bench.busy, "environment": environment,
        "matrix": all, "score": score, "faults": faults, "runs": runs,
    });
    let write = |text: String| fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()));
    write(serde_json::to_string_pretty(&document)? + "\n")?;
    eprintln!("\nmatrix: {}", file.display());
    if journal {
        enter(&now, &environment, bench, outcomes, &text, score, &faults)?;
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

fn faults(bench: &Bench<'_>, outcomes: &[Outcome], all: &Matrix, score: Score) -> Vec<String> {
    let mut faults = Vec::new();
    if score.wrong > 0 {
        faults.push(format!("{} requests are called by a wrong name", score.wrong));
    }
    if score.unknown_ratio.is_some_and(|ratio| ratio >= UNKNOWN_LIMIT) {
        faults.push(format!("{} failures have no name", score.unknown));
    }
    let causes: BTreeSet<&str> = outcomes.iter().flat_map(|outcome| outcome.injector.causes.iter().copied()).collect();
    for cause in causes {
        let cases: u64 = all.get(cause).map_or(0, |row| row.values().sum());
        if cases < bench.cases {
            faults.push(format!("{cause} has {cases} cases, wanted {}", bench.cases));
        }
    }
    for outcome in outcomes {
        faults.extend(outcome.problems.iter().map(|problem| format!("{}: {problem}", outcome.injector.name)));
    }
    faults
}

fn sentence(score: Score) -> String {
    let share = score.unknown_ratio.map_or("–".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0));
    format!(
        "{} requests judged, {} by a wrong name, {} without a name ({share})",
        score.judged, score.wrong, score.unknown
    )
}

/// Rows: what was done; columns: what the report says, numbered.
fn table(all: &Matrix) -> String {
    let columns: BTreeSet<&str> = all.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
    // The rows' own order first, so that the diagonal is one.
    let mut order: Vec<&str> = all.keys().map(String::as_str).filter(|name| columns.contains(name)).collect();
    order.extend(columns.iter().copied().filter(|name| !all.contains_key(*name)));
    let mut text = String::from("| truth \\ report |");
    for name in &order {
        let _ = write!(text, " {name} |");
    }
    text += "\n|---|";
    text += &"--:|".repeat(order.len());
    text.push('\n');
    for (truth, row) in all {
        let _ = write!(text, "| {} |", if truth == NONE { "none (nothing was done)" } else { truth });
        for name in &order {
            let count = row.get(*name).map_or("·".to_owned(), ToString::to_string);
            let _ = write!(text, " {count} |");
        }
        text.push('\n');
    }
    text
}

fn enter(
    now: &jiff::Zoned,
    environment: &serde_json::Value,
    bench: &Bench<'_>,
    outcomes: &[Outcome],
    table: &str,
    score: Score,
    faults: &[String],
) -> Result<()> {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n## {}\n\nKernel {}, Kubernetes {}; at least {} cases of each cause wanted. {}.{}\n\n{table}\n| injector | what it does | cases | not judged | events lost |\n|---|---|--:|--:|--:|",
        now.strftime("%H:%M"),
        environment["kernel"].as_str().unwrap_or("unknown"),
        environment["kubernetes"].as_str().unwrap_or("unknown"),
        bench.cases,
        sentence(score),
        Busy::in_words(bench.busy),
    );
    for outcome in outcomes {
        let cases: u64 =
            outcome.judged.matrix.iter().filter(|(truth, _)| *truth != NONE).flat_map(|(_, row)| row.values()).sum();
        let injector = outcome.injector;
        let lost = outcome.events_lost.map_or("–".to_owned(), |lost| lost.to_string());
        let (name, about, unsure) = (injector.name, injector.about, outcome.judged.unsure);
        let _ = writeln!(text, "| {name} | {about} | {cases} | {unsure} | {lost} |");
    }
    for fault in faults {
        let _ = writeln!(text, "\nFault: {fault}.");
    }
    append(now, &text)
}

/// Adds an entry to the journal of that day.
fn append(now: &jiff::Zoned, entry: &str) -> Result<()> {
    let file = root().join(format!("docs/journal/truth-{}.md", now.strftime("%Y-%m-%d")));
    let mut text = String::new();
    if !file.exists() {
        let day = now.strftime("%Y-%m-%d");
        let _ = writeln!(
            text,
            "# Fault bench, {day}\n\nFaults made on purpose (`cargo xtask truth`): rows are what was done to a request, columns what the report says."
        );
    }
    text += entry;
    fs::create_dir_all(root().join("docs/journal")).context("cannot create docs/journal")?;
    let opened = fs::OpenOptions::new().create(true).append(true).open(&file);
    let mut opened = opened.with_context(|| format!("cannot write {}", file.display()))?;
    opened.write_all(text.as_bytes())?;
    eprintln!("journal: {}", file.display());
    Ok(())
}

/// The ledger under churn. An error when anything of it is not as it must be.
pub fn churn(out: &Path, ledger: &Ledger, wanted: Churn, busy: u32, journal: bool) -> Result<()> {
    let faults = ledger.faults(&wanted);
    let causes: Vec<String> = ledger.by_cause.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
    let number = |value: Option<u64>| value.map_or("not measured".to_owned(), |n| n.to_string());
    let text = format!(
        "{} requests, {} pods deleted, {} addresses used again: {} failed ({}), unaccounted {}, joins that disagree {}, \
         events lost {}, right pod {} of {}.{}\n",
        ledger.sent,
        ledger.deletions,
        ledger.addresses_used_again,
        ledger.failed,
        if causes.is_empty() { "none".to_owned() } else { causes.join(", ") },
        number(ledger.unaccounted),
        number(ledger.join_conflicts),
        number(ledger.events_dropped),
        number(ledger.pods_agreed),
        number(ledger.pods_compared),
        Busy::in_words(busy),
    );
    print!("{text}");
    let now = jiff::Zoned::now();
    let document = json!({
        "schema_version": 1, "at": now.timestamp().to_string(), "rate_per_s": wanted.rate, "busy": busy, "ledger": ledger,
        "faults": faults,
    });
    let file = out.join("churn.json");
    let written = fs::write(&file, serde_json::to_string_pretty(&document)? + "\n");
    written.with_context(|| format!("cannot write {}", file.display()))?;
    if journal {
        let faults: Vec<String> = faults.iter().map(|fault| format!("\nFault: {fault}.\n")).collect();
        let faults = faults.concat();
        append(&now, &format!("\n## {}, churn\n\n{text}{faults}", now.strftime("%H:%M")))?;
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}
