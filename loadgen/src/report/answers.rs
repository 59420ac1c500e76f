//! From the reports of any number of runs to the answers of the lab's questions.

use std::collections::HashSet;

use super::Hook;
use super::schema::{Answer, AnswerRun, Answers, Cause, Report, SCHEMA_VERSION, Source, Verdict};

/// Questions and, in short, what they ask.
const QUESTIONS: [(&str, &[(&str, &str)]); 3] = [
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

/// The answers of each step, in order; `step` in lower case is the name of its file.
pub fn answers(reports: &[Report]) -> Vec<Answers> {
    QUESTIONS
        .iter()
        .map(|(step, questions)| Answers {
            schema_version: SCHEMA_VERSION,
            tool: format!("podwitness {}", env!("CARGO_PKG_VERSION")),
            step: (*step).to_owned(),
            answers: questions.iter().map(|(question, asks)| answer(question, asks, reports)).collect(),
        })
        .collect()
}

fn answer(question: &str, asks: &str, reports: &[Report]) -> Answer {
    let said: Vec<(&Report, &Verdict)> = reports
        .iter()
        .filter_map(|report| Some((report, report.verdicts.iter().find(|verdict| verdict.question == question)?)))
        .collect();
    let mut advice: Vec<String> = Vec::new();
    let mut not_measured: Vec<String> = Vec::new();
    for (report, verdict) in &said {
        for line in verdict.advice.iter().filter(|line| !advice.contains(line)).cloned().collect::<Vec<_>>() {
            advice.push(line);
        }
        not_measured.extend(verdict.not_measured.iter().map(|line| format!("{}: {line}", label(report))));
    }
    if said.is_empty() {
        not_measured.push("no run that answers it was given".to_owned());
    }
    Answer {
        question: question.to_owned(),
        asks: asks.to_owned(),
        claim: claim(&said),
        source: [Source::Measured, Source::Computed]
            .into_iter()
            .find(|source| said.iter().any(|(_, verdict)| verdict.source == *source))
            .unwrap_or(Source::Documented),
        runs: said.iter().map(|(report, verdict)| run(report, verdict)).collect(),
        advice,
        not_measured,
    }
}

fn run(report: &Report, verdict: &Verdict) -> AnswerRun {
    AnswerRun {
        label: label(report),
        run_id: report.run.id.clone(),
        started_at: report.run.started_at.clone(),
        complete: report.run.complete,
        claim: verdict.claim.clone(),
        evidence: verdict.evidence.clone(),
        ledger: report.ledger.clone(),
    }
}

/// One run: its own claim. Several: the claim of the one that lost most, and what the others lost beside it.
fn claim(said: &[(&Report, &Verdict)]) -> Option<String> {
    let claims: Vec<(&Report, &str)> =
        said.iter().filter_map(|(report, verdict)| Some((*report, verdict.claim.as_deref()?))).collect();
    // Of equal losses the first run.
    let (worst, words) = claims.iter().rev().max_by_key(|(report, _)| report.ledger.failed)?;
    if claims.len() == 1 {
        return Some((*words).to_owned());
    }
    let others: Vec<String> = claims
        .iter()
        .filter(|(report, _)| report.run.id != worst.run.id)
        .map(|(report, _)| {
            format!("{}: {} of {} requests lost", label(report), report.ledger.failed, report.ledger.sent)
        })
        .collect();
    Some(format!("With {}: {words} Beside it, {}.", label(worst), others.join("; ")))
}

/// What sets a run apart from others of the same experiment.
fn label(report: &Report) -> String {
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
            let ledger = &run.ledger;
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
