//! The answers as a page to hand in and to check: claim, figures, where they come from, and what was not measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cause_words;
use crate::report::schema::{Answer, AnswerRun, Answers, Measured, Source};
use crate::report::summary::escape;

/// Writes it.
pub fn markdown(answers: &[Answers]) -> String {
    let mut out = String::from("# Answers\n\n");
    let tool = answers.first().map_or("podwitness", |step| step.tool.as_str());
    let _ = writeln!(
        out,
        "Made by {} from the runs at the end. *Measured* was seen in these runs, *computed* follows from what was seen, *documented* is what Kubernetes promises.",
        line(tool)
    );
    for answer in answers.iter().flat_map(|step| &step.answers) {
        out += &section(answer);
    }
    out + &runs(answers)
}

/// Text that came from elsewhere, on one line, none of it taken as markup.
fn line(text: &str) -> String {
    let mut out = String::new();
    for c in escape(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn section(answer: &Answer) -> String {
    let mut out = format!("\n## {}\n\n*{}*\n\n", line(&answer.question), line(&answer.asks));
    match &answer.claim {
        Some(claim) => {
            let _ = write!(out, "{}\n\nSource: {}.\n", line(claim), source(answer.source));
        }
        None => out += "**Not answered.**\n",
    }
    for run in &answer.runs {
        out += &evidence(run, answer.claim.as_deref());
    }
    list(&mut out, "What to change", &answer.advice);
    list(&mut out, "Not measured", &answer.not_measured);
    out
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Measured => "measured",
        Source::Computed => "computed",
        Source::Documented => "documented",
    }
}

fn evidence(run: &AnswerRun, said: Option<&str>) -> String {
    let mut out = format!(
        "\n**{}** (run `{}`{})\n",
        line(&run.label),
        run.run_id,
        if run.complete { "" } else { ", not complete" }
    );
    // The answer itself may say it already.
    if let Some(claim) = run.claim.as_ref().filter(|claim| !said.is_some_and(|said| said.contains(claim.as_str()))) {
        let _ = write!(out, "\n{}\n", line(claim));
    }
    if run.evidence.is_empty() {
        return out;
    }
    out += "\n| figure | value | |\n|---|---:|---|\n";
    for Measured { name, value, text } in &run.evidence {
        let value = value.map_or_else(|| "–".to_owned(), |value| ((value * 1e4).round() / 1e4).to_string());
        let _ = writeln!(out, "| {} | {value} | {} |", line(name), line(text));
    }
    out
}

/// A [`String`] takes everything: writing to it cannot fail.
fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "\n{title}:\n\n");
    for text in lines {
        let _ = writeln!(out, "- {}", line(text));
    }
}

/// Every run once, with its ledger.
fn runs(answers: &[Answers]) -> String {
    let mut runs: BTreeMap<(&str, &str), &AnswerRun> = BTreeMap::new();
    for run in answers.iter().flat_map(|step| &step.answers).flat_map(|answer| &answer.runs) {
        runs.insert((&run.started_at, &run.run_id), run);
    }
    if runs.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "\n## Runs\n\n| run | what | began | sent | succeeded | failed | unaccounted | causes |\n|---|---|---|---:|---:|---:|---:|---|\n",
    );
    for ((started_at, run_id), run) in runs {
        let figures = run.ledger.as_ref().map_or_else(
            || "– | – | – | – | –".to_owned(),
            |ledger| {
                let causes: Vec<String> = ledger.by_cause.iter().map(|(cause, n)| cause_words(*cause, *n)).collect();
                let causes = line(&causes.join(", "));
                format!(
                    "{} | {} | {} | {} | {causes}",
                    ledger.sent, ledger.succeeded, ledger.failed, ledger.unaccounted
                )
            },
        );
        let _ = writeln!(out, "| `{run_id}` | {} | {started_at} | {figures} |", line(&run.label));
    }
    out + "\nEach run's raw files lead to the same figures again: `loadgen report DIR`.\n"
}
