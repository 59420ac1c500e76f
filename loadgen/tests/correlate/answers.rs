//! From reports to `q8.json` and `q10.json`.

use loadgen::correlate::correlate;
use loadgen::report::answers::{answers, text};
use loadgen::report::summary::Style;

use crate::reports::{clean_pod_delete, lossy_rollout};

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
