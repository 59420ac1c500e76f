//! From reports to `q8.json` and `q10.json`.

use loadgen::report::answers::markdown::markdown;
use loadgen::report::answers::{all_answers, answers, text};
use loadgen::report::schema::Source;
use loadgen::report::summary::Style;
use loadgen::verify::facts::DnsLook;
use loadgen::verify::{State, Verified, judge};

use crate::reports::{clean_pod_delete, lossy_rollout};
use crate::synthetic::correlate;

#[test]
fn two_runs_of_one_question_are_compared() {
    let lossy = correlate(&lossy_rollout());
    let mut raw = lossy_rollout();
    raw.run.id = "00c0ffee00c0ffef".into();
    raw.run.config.experiment.insert("prestop".into(), "sleep:5".into());
    raw.timeline.retain(|entry| !matches!(entry.subject, loadgen::raw::Subject::Event { .. }));
    raw.client.retain(loadgen::raw::ClientRequest::succeeded);
    raw.run.sent = raw.client.len() as u64;
    let cured = correlate(&raw);
    let clean = correlate(&clean_pod_delete());
    let answers = answers(&[lossy, cured, clean]);
    insta::assert_snapshot!("answers_text", text(&answers, Style { width: 110, color: false }));
    let q10 = answers.iter().find(|step| step.step == "Q10").unwrap();
    let q10_3 = q10.answers.iter().find(|answer| answer.question == "Q10.3").unwrap();
    assert_eq!(q10_3.runs.len(), 2);
    assert!(q10_3.claim.as_ref().unwrap().contains("preStop.sleep 5 s: 0 of 202 requests lost"), "{:?}", q10_3.claim);
}

#[test]
fn a_question_without_a_run_has_no_answer() {
    let answers = answers(&[]);
    assert!(
        answers
            .iter()
            .flat_map(|step| &step.answers)
            .all(|answer| { answer.claim.is_none() && answer.not_measured == ["no run that answers it was given"] })
    );
}

#[test]
fn earlier_steps_are_answered_from_looks_at_the_lab() {
    let mut look = verified(2);
    let later = verified(5);
    let all = all_answers(&[], &[look.clone(), later]);
    let steps: Vec<&str> = all.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps[..5], ["Q2", "Q4", "Q5", "Q6", "Q7"]);
    let answer = |question: &str| {
        all.iter().flat_map(|step| &step.answers).find(|answer| answer.question == question).unwrap().clone()
    };
    assert!(answer("Q2.2").claim.unwrap().starts_with("ml-inference-service.mlops-lab.svc.cluster.local"));
    let q5_1 = answer("Q5.1");
    assert!(q5_1.claim.as_ref().unwrap().starts_with("10.96.0.20: the Service's own address"), "{q5_1:?}");
    assert_eq!(q5_1.source, Source::Measured);
    assert_eq!(answer("Q5.3").source, Source::Measured, "two looks with different numbers of pods");
    assert_eq!(answer("Q6.2").source, Source::Documented);
    assert!(!answer("Q6.2").not_measured.is_empty());
    insta::assert_snapshot!("answers_markdown", markdown(&all));

    look.facts.dns = DnsLook { problem: Some("no way there".into()), ..DnsLook::default() };
    let alone = all_answers(&[], &[look]);
    let q5_3 = alone.iter().flat_map(|step| &step.answers).find(|answer| answer.question == "Q5.3").unwrap();
    assert_eq!(q5_3.source, Source::Documented, "one look shows no change");
}

#[test]
fn markup_in_foreign_text_stays_text() {
    let mut report = correlate(&lossy_rollout());
    report.verdicts[0].claim = Some("a | b <script> [x](y) \u{1b}[2J\n# c".into());
    let page = markdown(&answers(&[report]));
    assert!(page.contains(r"a \| b \<script\> \[x\](y)"), "{page}");
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
}

/// A look at a lab that is whole up to Step 7, with so many serving pods.
fn verified(pods: u8) -> Verified {
    let facts = crate::lab::whole(pods);
    let (checks, reached_step) = judge(&facts, None);
    Verified {
        schema_version: 1,
        tool: "podwitness 0".into(),
        id: format!("00000000deadbee{pods}"),
        at: "2026-01-01T00:00:00Z".into(),
        passed: checks.iter().all(|check| check.state != State::Fail),
        reached_step,
        checks,
        facts,
    }
}
