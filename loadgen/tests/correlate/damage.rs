//! A run's folder that is not whole any more: the report says what is missing and is made of the rest.

use std::fs;
use std::path::{Path, PathBuf};

use loadgen::correlate::correlate;
use loadgen::raw::FORMAT;
use loadgen::raw::read::{ReadError, read_run};
use loadgen::raw::write::{NdjsonWriter, write_json};
use loadgen::report::schema::Report;
use observer::api::RecordsEnd;
use serde::Serialize;
use tempfile::TempDir;

use crate::reports::lossy_rollout;
use crate::synthetic::Wire;

/// The files of a run, as a run writes them; `ending` is `.gz`, or nothing for those of format 1.
fn written(raw: &Wire, ending: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("raw");
    fs::create_dir(&folder).unwrap();
    let mut run = raw.run.clone();
    run.schema_version = if ending.is_empty() { 1 } else { FORMAT };
    write_json(&folder.join("run.json"), &run).unwrap();
    lines(&folder.join(format!("client.ndjson{ending}")), &raw.client, None);
    lines(&folder.join("timeline.ndjson"), &raw.timeline, None);
    for (node, records) in &raw.records {
        let end = raw.observers[0].records_end.as_ref();
        lines(&folder.join(format!("records-{node}.ndjson{ending}")), records, end);
    }
    for observer in &raw.observers {
        write_json(&folder.join(format!("observer-{}.json", observer.node)), observer).unwrap();
    }
    dir
}

fn lines<T: Serialize>(file: &Path, values: &[T], end: Option<&RecordsEnd>) {
    let mut writer = NdjsonWriter::create(file).unwrap();
    for (n, value) in values.iter().enumerate() {
        writer.write(value).unwrap();
        if n % 50 == 49 {
            writer.flush().unwrap();
        }
    }
    if let Some(end) = end {
        writer.write(end).unwrap();
    }
    writer.finish().unwrap();
}

fn file(dir: &TempDir, kind: &str) -> PathBuf {
    let mut files = fs::read_dir(dir.path().join("raw")).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(kind)).unwrap()
}

fn report(dir: &TempDir) -> Report {
    let report = correlate(&read_run(dir.path()).unwrap());
    crate::schema::validate(&serde_json::to_value(&report).unwrap());
    let ledger = &report.ledger;
    assert_eq!(ledger.sent, ledger.succeeded + ledger.failed + ledger.unaccounted, "the ledger closes");
    report
}

fn says(report: &Report, words: &[&str]) {
    let said = |warning: &String| words.iter().all(|word| warning.contains(word));
    assert!(report.warnings.iter().any(said), "nothing says {words:?}: {:#?}", report.warnings);
    assert!(!report.run.complete);
}

#[test]
fn packed_and_plain_files_give_the_same_report() {
    let raw = lossy_rollout();
    let whole = correlate(&raw.read());
    assert!(whole.run.complete);
    for ending in ["", ".gz"] {
        let same = report(&written(&raw, ending));
        assert_eq!(serde_json::to_value(&same).unwrap(), serde_json::to_value(&whole).unwrap());
    }
}

#[test]
fn records_that_are_cut_leave_the_ledger_whole() {
    for ending in ["", ".gz"] {
        let raw = lossy_rollout();
        let dir = written(&raw, ending);
        let records = file(&dir, "records-");
        let bytes = fs::read(&records).unwrap();
        fs::write(&records, &bytes[..bytes.len() / 2]).unwrap();
        let report = report(&dir);
        says(&report, &["records-", "is cut after line"]);
        says(&report, &["records-", "own count, is missing"]);
        assert_eq!((report.ledger.sent, report.ledger.unaccounted), (raw.run.sent, 0));
        let seen = report.completeness.requests_seen_at_gateway.unwrap();
        assert!(seen > 0 && seen < raw.run.sent, "{seen}");
    }
}

#[test]
fn client_records_that_are_cut_are_unaccounted_requests() {
    for ending in ["", ".gz"] {
        let raw = lossy_rollout();
        let dir = written(&raw, ending);
        let client = file(&dir, "client");
        let bytes = fs::read(&client).unwrap();
        fs::write(&client, &bytes[..bytes.len() / 2]).unwrap();
        let report = report(&dir);
        says(&report, &["client.ndjson", "is cut after line"]);
        assert!(report.ledger.unaccounted > 0 && report.ledger.succeeded > 0, "{:?}", report.ledger);
        says(&report, &[&format!("{} requests have no client record", report.ledger.unaccounted)]);
    }
}

#[test]
fn a_damaged_block_costs_its_own_lines() {
    let raw = lossy_rollout();
    let dir = written(&raw, ".gz");
    let client = file(&dir, "client");
    let mut bytes = fs::read(&client).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&client, bytes).unwrap();
    let report = report(&dir);
    says(&report, &["client.ndjson.gz", "damaged in one place"]);
    assert_eq!(report.ledger.unaccounted, 50, "a block of 50 lines");
}

#[test]
fn files_that_are_gone_are_named() {
    let raw = lossy_rollout();
    for (kind, words) in [
        ("client", ["client.ndjson", "is missing"]),
        ("timeline", ["timeline.ndjson", "is missing"]),
        ("records-", ["records of node", "are missing"]),
        ("observer-", ["observer-", "is missing"]),
    ] {
        let dir = written(&raw, ".gz");
        fs::remove_file(file(&dir, kind)).unwrap();
        says(&report(&dir), &words);
    }
}

#[test]
fn a_later_format_is_refused_with_its_fix() {
    let mut raw = lossy_rollout();
    let dir = written(&raw, ".gz");
    raw.run.schema_version = FORMAT + 1;
    write_json(&dir.path().join("raw/run.json"), &raw.run).unwrap();
    let error = read_run(dir.path()).unwrap_err();
    assert!(matches!(error, ReadError::TooNew { .. }));
    assert!(error.to_string().contains("fix:"), "{error}");
}
