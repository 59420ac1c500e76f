//! `q8.json`, `q9.json`, `q10.json`: the lab's questions, answered from any number of runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ledger, Measured, Source};

/// The answers to the questions of one step of the lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answers {
    /// Version of this layout.
    pub schema_version: u32,
    /// `podwitness VERSION`.
    pub tool: String,
    /// `Q8`, `Q10`, …
    pub step: String,
    /// Each question of the step, answered or not.
    pub answers: Vec<Answer>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// `Q8.1`, …
    pub question: String,
    /// What it asks, in short.
    pub asks: String,
    /// The answer over all runs, in words. `null`: no run answers it.
    pub claim: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// What each run says to it.
    pub runs: Vec<AnswerRun>,
    /// What to change.
    pub advice: Vec<String>,
    /// What was not measured.
    pub not_measured: Vec<String>,
}

/// What one run says to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerRun {
    /// What sets it apart: experiment and hook.
    pub label: String,
    /// Id of the run.
    pub run_id: String,
    /// When it began.
    pub started_at: String,
    /// The whole schedule was run and every raw file is whole.
    pub complete: bool,
    /// Its own claim.
    pub claim: Option<String>,
    /// Its figures.
    pub evidence: Vec<Measured>,
    /// Its ledger. `null`: it was a look at the lab, not a load.
    pub ledger: Option<Ledger>,
}
