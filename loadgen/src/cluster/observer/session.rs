//! One run, announced to all agents; their records fetched at the end.

use std::path::Path;

use futures::future::join_all;
use observer::api::{Run, RunRequest, Status};

use super::clock::measure;
use super::error::ObserverError;
use super::find::Agent;
use crate::raw::write::{NdjsonWriter, write_json};
use crate::raw::{ClockOffset, ObserverFile};

/// A run that is open at all agents.
pub struct Session {
    run_id: String,
    agents: Vec<Opened>,
}

struct Opened {
    agent: Agent,
    before: Status,
    clock: ClockOffset,
    /// Our own machine's.
    boot_id: String,
}

/// What was fetched.
#[derive(Debug, Default)]
pub struct Observed {
    /// Records over all nodes.
    pub records: u64,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// The warning of a run without agents.
pub fn no_observer_warning() -> String {
    "no observer: failed requests have no pod and no proven cause, and there is no latency by hop".to_owned()
}

impl Session {
    /// Announces the run. Either all agents know of it, or none.
    pub async fn open(agents: Vec<Agent>, request: &RunRequest, boot_id: &str) -> Result<Self, ObserverError> {
        let opened = join_all(agents.into_iter().map(|agent| open_one(agent, request, boot_id))).await;
        let (mut session, mut failed) = (Self { run_id: request.id.clone(), agents: Vec::new() }, None);
        for result in opened {
            match result {
                Ok(opened) => session.agents.push(opened),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            None => Ok(session),
            Some(error) => {
                session.abandon().await;
                Err(error)
            }
        }
    }

    /// Closes the run everywhere and throws its records away.
    pub async fn abandon(&self) {
        join_all(self.agents.iter().map(|opened| async {
            // An agent that cannot be told drops the run by itself in time.
            if let Ok(mut conversation) = opened.agent.open().await {
                let _ = conversation.post::<Run>(&format!("/v1/runs/{}/close", self.run_id), &()).await;
                let _ = conversation.delete(&format!("/v1/runs/{}", self.run_id)).await;
            }
        }))
        .await;
    }

    /// Closes the run and fetches what was seen, from all nodes at once. An agent that is gone is a warning: the rest
    /// of the run is worth its report.
    pub async fn close(self, raw: &Path) -> Observed {
        let mut observed = Observed::default();
        let run_id = &self.run_id;
        for (records, warnings) in join_all(self.agents.iter().map(|opened| close_one(opened, run_id, raw))).await {
            observed.records += records;
            observed.warnings.extend(warnings);
        }
        observed
    }
}

async fn open_one(agent: Agent, request: &RunRequest, boot_id: &str) -> Result<Opened, ObserverError> {
    let mut conversation = agent.open().await?;
    conversation.health().await?;
    let before = conversation.get("/status").await?;
    let clock = measure(&mut conversation, boot_id).await?;
    let _run: Run = conversation.post("/v1/runs", request).await?;
    Ok(Opened { agent, before, clock, boot_id: boot_id.to_owned() })
}

async fn close_one(opened: &Opened, run_id: &str, raw: &Path) -> (u64, Vec<String>) {
    let node = &opened.agent.node;
    let mut file = ObserverFile {
        node: node.clone(),
        before: opened.before.clone(),
        after: None,
        run: None,
        records_end: None,
        clock: opened.clock.clone(),
        clock_after: None,
        problems: Vec::new(),
    };
    if let Err(error) = fetch(opened, run_id, raw, &mut file).await {
        file.problems.push(error.to_string());
    }
    if file.records_end.is_none() {
        file.problems.push(format!("the records of node {node} are not whole"));
    }
    let mut warnings = file.problems.clone();
    if let Err(error) = write_json(&raw.join(format!("observer-{node}.json")), &file) {
        warnings.push(error.to_string());
    }
    (file.records_end.map_or(0, |end| end.records), warnings)
}

async fn fetch(opened: &Opened, run_id: &str, raw: &Path, file: &mut ObserverFile) -> Result<(), ObserverError> {
    let mut conversation = opened.agent.open().await?;
    file.run = Some(conversation.post(&format!("/v1/runs/{run_id}/close"), &()).await?);
    let mut records = NdjsonWriter::create(&raw.join(format!("records-{}.ndjson.gz", opened.agent.node)))?;
    let end = conversation.records(&format!("/v1/records?run={run_id}"), &mut records).await;
    records.finish()?;
    file.records_end = end?;
    file.after = Some(conversation.get("/status").await?);
    file.clock_after = Some(measure(&mut conversation, &opened.boot_id).await?);
    conversation.delete(&format!("/v1/runs/{run_id}")).await
}
