//! A run's files as a stranger reads them: JSON, by the names of the contract.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::ndjson;

/// One run's report and raw files.
pub struct Run {
    /// `report.json`.
    pub report: Value,
    /// `raw/run.json`.
    pub file: Value,
    /// `raw/client.ndjson.gz`.
    pub client: Vec<Value>,
    /// `raw/records-*.ndjson.gz`.
    pub records: Vec<Value>,
    /// What loadgen printed.
    pub summary: String,
}

impl Run {
    /// Reads a folder that loadgen wrote.
    pub fn read(folder: &Path, summary: String) -> Result<Self> {
        let text = fs::read_to_string(folder.join("report.json")).context("no report.json")?;
        let mut records = Vec::new();
        for entry in fs::read_dir(folder.join("raw"))? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("records-")) {
                records.extend(ndjson::values(&path)?);
            }
        }
        Ok(Self {
            report: serde_json::from_str(&text)?,
            file: serde_json::from_str(&fs::read_to_string(folder.join("raw/run.json"))?)?,
            client: ndjson::values(&folder.join("raw/client.ndjson.gz"))?,
            records,
            summary,
        })
    }

    /// A number by its path of names.
    pub fn number(&self, path: &str) -> Result<u64> {
        self.report.pointer(path).and_then(Value::as_u64).with_context(|| format!("report has no number at {path}"))
    }

    /// First request due, in seconds since 1970.
    pub fn started_s(&self) -> Result<f64> {
        let number = |name: &str| self.file[name].as_u64().with_context(|| format!("run.json has no {name}"));
        let ns = number("anchor_realtime_ns")? + number("started_ns")? - number("anchor_monotonic_ns")?;
        Ok(Duration::from_nanos(ns).as_secs_f64())
    }

    /// Failures of the ledger.
    pub fn failed(&self) -> Result<u64> {
        self.number("/ledger/failed")
    }

    /// Entries of `failures`.
    pub fn failures(&self) -> &[Value] {
        self.report["failures"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Answers by status and trace id, as the client counted them.
    pub fn statuses(&self) -> BTreeMap<String, u64> {
        let answered = self
            .client
            .iter()
            .filter_map(|request| Some((request["trace_id"].as_str()?.to_owned(), request["status"].as_u64()?)));
        answered.collect()
    }

    /// What must hold of every run, whatever happened in it.
    pub fn assert_closed(&self) -> Result<()> {
        let (sent, succeeded, failed) =
            (self.number("/ledger/sent")?, self.number("/ledger/succeeded")?, self.failed()?);
        ensure!(self.number("/ledger/unaccounted")? == 0, "requests are unaccounted for");
        ensure!(sent == succeeded + failed, "the ledger does not close: {}", self.report["ledger"]);
        ensure!(sent == self.client.len() as u64, "{sent} sent, {} client records", self.client.len());
        let loss = &self.report["completeness"]["loss"];
        ensure!(self.number("/completeness/events_dropped")? == 0, "kernel events were lost: {loss}");
        ensure!(self.number("/completeness/join_conflicts")? == 0, "joins disagree");
        let agreement = &self.report["completeness"]["pod_agreement"];
        let (compared, agreed) = (agreement["compared"].as_u64(), agreement["agreed"].as_u64());
        ensure!(compared == Some(succeeded) && agreed == Some(succeeded), "pods: {agreement}, succeeded {succeeded}");
        ensure!(self.report["completeness"]["goose_agrees"] == true, "goose counted otherwise");
        ensure!(self.report["run"]["complete"] == true, "the run is not complete");
        ensure!(!self.summary.trim().is_empty(), "nothing was printed");
        Ok(())
    }

    /// Every failure has a pod, a cause and evidence, and none is joined by time alone.
    pub fn assert_explained(&self) -> Result<()> {
        for failure in self.failures() {
            let name = &failure["trace_id"];
            ensure!(failure["cause"] != "unknown", "no cause for {name}: {failure}");
            ensure!(failure["pod"].is_string(), "no pod for {name}: {failure}");
            ensure!(failure["evidence"].as_array().is_some_and(|list| list.len() >= 2), "no evidence: {failure}");
            let joined = failure["joined_by"].as_str();
            ensure!(matches!(joined, Some("thread_order" | "trace")), "joined by {joined:?}: {failure}");
        }
        ensure!(self.failures().len() as u64 == self.failed()?, "a failure is not listed");
        Ok(())
    }

    /// The time line has an entry of this kind.
    pub fn has_timeline(&self, kind: &str) -> bool {
        self.report["timeline"].as_array().is_some_and(|items| items.iter().any(|item| item["kind"] == kind))
    }
}
