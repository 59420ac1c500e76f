//! From the reports of any number of runs to the answers of the lab's questions.

mod earlier;
pub mod markdown;

use std::collections::HashSet;

use super::Hook;
use super::schema::{Answer, AnswerRun, Answers, Cause, Ledger, Report, SCHEMA_VERSION, Source, Verdict};
use crate::verify::Verified;

/// A step, its questions and, in short, what they ask.
type Step = (&'static str, &'static [(&'static str, &'static str)]);

/// Steps 8 to 10.
const QUESTIONS: [Step; 3] = [
    (
        "Q8",
        &[
            ("Q8.1", "Did any requests fail when a pod was deleted during continuous requests, and why (not)?"),
            ("Q8.2", "Which load balancing suits ML inference better than the Service's own?"),
            ("Q8.3", "What goes wrong with even shares when one pod is slower than the others?"),
        ],
    ),
    (
        "Q9",
        &[
            ("Q9.1", "Why a stabilization window for the way down and none for the way up?"),
            ("Q9.2", "Why may the ML service need a lower CPU threshold than the gateway?"),
            ("Q9.3", "2 pods at 80 % CPU with a target of 50 %: how many pods will there be?"),
            ("Q9.4", "What are the limits of scaling ML inference by CPU, and which metric might do better?"),
        ],
    ),
    (
        "Q10",
        &[
            (
                "Q10.1",
                "What do maxSurge 1 and maxUnavailable 0 do, and why do they suit services that must stay available?",
            ),
            ("Q10.2", "What is the preStop hook for, and how does it prevent failures during updates?"),
            ("Q10.3", "Were there status codes other than 200 during the update, and what caused them?"),
            ("Q10.4", "What is the risk of updating gateway and serving pods at the same time?"),
            ("Q10.5", "How does a canary get 10 % of the traffic?"),
        ],
    ),
];

/// What one run, or one look at the lab, says to a question.
struct Said {
    label: String,
    run_id: String,
    started_at: String,
    complete: bool,
    /// `None`: nothing was sent but a few single requests.
    ledger: Option<Ledger>,
    verdict: Verdict,
}

/// The answers of each step, in order; `step` in lower case is the name of its file.
pub fn answers(reports: &[Report]) -> Vec<Answers> {
    let said: Vec<Said> = reports.iter().flat_map(of_report).collect();
    steps(&QUESTIONS, &said)
}

/// The same, and before them the questions of Steps 2 to 7 that can be measured.
pub fn all_answers(reports: &[Report], verified: &[Verified]) -> Vec<Answers> {
    let mut said: Vec<Said> = reports.iter().flat_map(of_report).collect();
    said.extend(reports.iter().flat_map(|report| from_report(report, earlier::of_report(report))));
    for (verified, verdicts) in verified.iter().zip(earlier::of_verified(verified)) {
        said.extend(verdicts.into_iter().map(|verdict| Said {
            label: "verify".to_owned(),
            run_id: verified.id.clone(),
            started_at: verified.at.clone(),
            complete: true,
            ledger: None,
            verdict,
        }));
    }
    let mut all = steps(&earlier::QUESTIONS, &said);
    all.extend(steps(&QUESTIONS, &said));
    all
}

fn of_report(report: &Report) -> Vec<Said> {
    from_report(report, report.verdicts.clone())
}

fn from_report(report: &Report, verdicts: Vec<Verdict>) -> Vec<Said> {
    let said = |verdict: Verdict| Said {
        label: label(report),
        run_id: report.run.id.clone(),
        started_at: report.run.started_at.clone(),
        complete: report.run.complete,
        ledger: Some(report.ledger.clone()),
        verdict,
    };
    verdicts.into_iter().map(said).collect()
}

fn steps(questions: &[Step], said: &[Said]) -> Vec<Answers> {
    questions
        .iter()
        .map(|(step, questions)| Answers {
            schema_version: SCHEMA_VERSION,
            tool: format!("podwitness {}", env!("CARGO_PKG_VERSION")),
            step: (*step).to_owned(),
            answers: questions.iter().map(|(question, asks)| answer(question, asks, said)).collect(),
        })
        .collect()
}

fn answer(question: &str, asks: &str, said: &[Said]) -> Answer {
    let said: Vec<&Said> = said.iter().filter(|said| said.verdict.question == question).collect();
    let mut advice: Vec<String> = Vec::new();
    let mut not_measured: Vec<String> = Vec::new();
    for said in &said {
        for line in said.verdict.advice.iter().filter(|line| !advice.contains(line)).cloned().collect::<Vec<_>>() {
            advice.push(line);
        }
        for line in said.verdict.not_measured.iter().map(|line| format!("{}: {line}", said.label)) {
            if !not_measured.contains(&line) {
                not_measured.push(line);
            }
        }
    }
    if said.is_empty() {
        not_measured.push("no run that answers it was given".to_owned());
    }
    Answer {
        question: question.to_owned(),
        asks: asks.to_owned(),
        claim: claim(&said),
        source: said.iter().map(|said| said.verdict.source).min_by_key(|s| weight(*s)).unwrap_or(Source::Documented),
        runs: said.iter().map(|said| run(said)).collect(),
        advice,
        not_measured,
    }
}

/// What was measured comes before what was computed, and both before what is only documented.
fn weight(source: Source) -> u8 {
    match source {
        Source::Measured => 0,
        Source::Computed => 1,
        Source::Documented => 2,
    }
}

fn run(said: &Said) -> AnswerRun {
    AnswerRun {
        label: said.label.clone(),
        run_id: said.run_id.clone(),
        started_at: said.started_at.clone(),
        complete: said.complete,
        claim: said.verdict.claim.clone(),
        evidence: said.verdict.evidence.clone(),
        ledger: said.ledger.clone(),
    }
}

/// One run: its own claim. Several: the claim of the one that lost most, and what the others lost beside it. Where
/// nothing can be lost: the best founded claim, of equal ones the last.
fn claim(said: &[&Said]) -> Option<String> {
    let claims: Vec<(&Said, &str)> =
        said.iter().filter_map(|said| Some((*said, said.verdict.claim.as_deref()?))).collect();
    let lost: Vec<(&Said, &str, &Ledger)> =
        claims.iter().filter_map(|(said, claim)| Some((*said, *claim, said.ledger.as_ref()?))).collect();
    // A claim that all runs make needs no comparison.
    let alike = claims.iter().all(|(_, claim)| Some(*claim) == claims.first().map(|(_, first)| *first));
    if lost.len() < claims.len() || alike {
        let best = claims.iter().map(|(said, _)| weight(said.verdict.source)).min()?;
        let founded = claims.iter().rev().find(|(said, _)| weight(said.verdict.source) == best);
        return founded.map(|(_, claim)| (*claim).to_owned());
    }
    // Of equal losses the first run.
    let (worst, words, _) = lost.iter().rev().max_by_key(|(_, _, ledger)| ledger.failed)?;
    let others: Vec<String> = lost
        .iter()
        .filter(|(said, _, _)| said.run_id != worst.run_id)
        .map(|(said, _, ledger)| format!("{}: {} of {} requests lost", said.label, ledger.failed, ledger.sent))
        .collect();
    Some(format!("With {}: {words} Beside it, {}.", worst.label, others.join("; ")))
}

/// What sets a run apart from others of the same experiment.
pub fn label(report: &Report) -> String {
    let hook = Hook::of(&report.config, &report.environment).map_or(String::new(), |hook| format!(", {hook}"));
    let failed = report.deletions.iter().any(|deletion| deletion.hook_failed.is_some());
    let hook_failed = if failed { " (FailedPreStopHook)" } else { "" };
    format!("{}{hook}{hook_failed}", report.experiment)
}

/// The answers as text for a terminal.
pub fn text(answers: &[Answers], style: super::summary::Style) -> String {
    let mut out = String::new();
    // Several questions share their advice.
    let mut given = HashSet::new();
    for answer in answers.iter().flat_map(|step| &step.answers) {
        let Some(claim) = &answer.claim else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        out += &style.title(&format!("{}  {}", answer.question, answer.asks));
        out += &style.paragraph("  ", &super::summary::escape(claim));
        for advice in answer.advice.iter().filter(|advice| given.insert(advice.as_str())) {
            out += &style.paragraph("  → ", &super::summary::escape(advice));
        }
        for run in &answer.runs {
            let Some(ledger) = &run.ledger else {
                out += &style.paragraph("    · ", &super::summary::escape(&format!("{} {}", run.label, run.run_id)));
                continue;
            };
            let causes: Vec<String> = ledger.by_cause.iter().map(|(cause, n)| cause_words(*cause, *n)).collect();
            let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
            let line = format!("{}: {} of {} lost{causes}; run {}", run.label, ledger.failed, ledger.sent, run.run_id);
            out += &style.paragraph("    · ", &super::summary::escape(&line));
        }
    }
    let open: Vec<&str> = answers
        .iter()
        .flat_map(|step| &step.answers)
        .filter(|answer| answer.claim.is_none())
        .map(|answer| answer.question.as_str())
        .collect();
    if !open.is_empty() {
        out += &style.paragraph("\nnot answered by these runs: ", &open.join(", "));
    }
    out
}

fn cause_words(cause: Cause, n: u64) -> String {
    format!("{n} {}", cause.name())
}
