//! Reading a run's raw files back, also those of a run that was cut short.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use observer::api::RecordsEnd;
use observer::record::Record;
use serde::de::DeserializeOwned;

use super::{ClientRequest, ObserverFile, RunFile, TimelineEntry};

/// Everything known of one run.
#[derive(Clone, Debug)]
pub struct RawRun {
    /// `run.json`.
    pub run: RunFile,
    /// `client.ndjson`, in order of `seq`.
    pub client: Vec<ClientRequest>,
    /// `timeline.ndjson`, in order of time.
    pub timeline: Vec<TimelineEntry>,
    /// `records-NODE.ndjson`: node and its records, in the node's clock. Without the last line.
    pub records: Vec<(String, Vec<Record>)>,
    /// `observer-NODE.json`.
    pub observers: Vec<ObserverFile>,
    /// What could not be read: cut files, lines that are not understood.
    pub warnings: Vec<String>,
}

/// A run could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not a run's directory.
    #[error(
        "{dir} holds no run: {file} cannot be read: {source}\n  fix: name the directory that `loadgen steady`, `pod-delete` or `rollout` printed (it holds `raw/run.json`)"
    )]
    NotARun {
        /// Directory that was named.
        dir: PathBuf,
        /// File that is missing.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `run.json` is not what it should be.
    #[error("{file} is not a run file of this version: {source}")]
    BadRunFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another file exists, but cannot be read.
    #[error("cannot read {file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Directory of the raw files below a run's directory.
pub fn raw_dir(run_dir: &Path) -> PathBuf {
    run_dir.join("raw")
}

/// Reads a run's directory (the one that holds `raw/`, or `raw/` itself).
pub fn read_run(dir: &Path) -> Result<RawRun, ReadError> {
    let raw = if dir.join("run.json").is_file() { dir.to_owned() } else { raw_dir(dir) };
    let mut run = read_run_file(dir, &raw.join("run.json"))?;
    let mut warnings = Vec::new();
    let mut client: Vec<ClientRequest> = read_ndjson(&raw.join("client.ndjson"), &mut warnings)?;
    client.sort_by_key(|request| request.seq);
    if run.sent == 0 && !client.is_empty() {
        killed(&mut run, &client);
        warnings.push("the load generator was killed: requests under way at that moment are not counted".to_owned());
    }
    let mut timeline: Vec<TimelineEntry> = read_ndjson(&raw.join("timeline.ndjson"), &mut warnings)?;
    timeline.sort_by_key(|entry| entry.at_ns);
    let mut records = Vec::new();
    let mut observers = Vec::new();
    for file in files_of(&raw)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(node) = name.strip_prefix("records-").and_then(|rest| rest.strip_suffix(".ndjson")) {
            records.push((node.to_owned(), read_records(&file, &mut warnings)?));
        } else if is_observer_file(&name) {
            match fs::read(&file).map(|text| serde_json::from_slice::<ObserverFile>(&text)) {
                Ok(Ok(observer)) => observers.push(observer),
                Ok(Err(e)) => warnings.push(format!("{name} is not understood: {e}")),
                Err(source) => return Err(ReadError::Io { file, source }),
            }
        }
    }
    Ok(RawRun { run, client, timeline, records, observers, warnings })
}

fn is_observer_file(name: &str) -> bool {
    name.strip_prefix("observer-").is_some_and(|rest| rest.strip_suffix(".json").is_some())
}

/// A process that was killed never wrote what it had sent; what its records say is all there is.
fn killed(run: &mut RunFile, client: &[ClientRequest]) {
    run.sent = client.len() as u64;
    run.started_ns = client.iter().map(|request| request.due_ns).min().unwrap_or(run.started_ns);
    run.ended_ns = client.iter().map(|request| request.end_ns).max().unwrap_or(run.ended_ns);
}

fn read_run_file(dir: &Path, file: &Path) -> Result<RunFile, ReadError> {
    let text =
        fs::read(file).map_err(|source| ReadError::NotARun { dir: dir.to_owned(), file: file.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| ReadError::BadRunFile { file: file.to_owned(), source })
}

/// Files of the directory, in order of name, so that reading twice gives the same.
fn files_of(raw: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::Io { file: raw.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(raw).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort();
    Ok(files)
}

/// Records of one node. Their last line is the agent's own count: a file without it, or with another count, is cut.
fn read_records(file: &Path, warnings: &mut Vec<String>) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    let mut end = None;
    for_each_line(file, warnings, |line| match serde_json::from_str::<Record>(line) {
        Ok(record) => {
            records.push(record);
            Ok(())
        }
        Err(e) => match serde_json::from_str::<RecordsEnd>(line) {
            Ok(last) if last.record == "end" => {
                end = Some(last);
                Ok(())
            }
            _ => Err(e),
        },
    })?;
    match end {
        None => warnings.push(format!("{} is cut: its last line is missing", file.display())),
        Some(end) if end.records != records.len() as u64 => {
            warnings.push(format!("{} is cut: {} records of {} are there", file.display(), records.len(), end.records));
        }
        Some(_) => {}
    }
    Ok(records)
}

fn read_ndjson<T: DeserializeOwned>(file: &Path, warnings: &mut Vec<String>) -> Result<Vec<T>, ReadError> {
    if !file.exists() {
        warnings.push(format!("{} is missing", file.display()));
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    for_each_line(file, warnings, |line| serde_json::from_str(line).map(|value| values.push(value)))?;
    Ok(values)
}

/// Calls `take` for each line. Lines that it refuses are counted; a cut last line is called that.
fn for_each_line(
    file: &Path,
    warnings: &mut Vec<String>,
    mut take: impl FnMut(&str) -> Result<(), serde_json::Error>,
) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { file: file.to_owned(), source };
    let mut reader = BufReader::with_capacity(256 * 1024, fs::File::open(file).map_err(failed)?);
    let mut line = String::new();
    let mut number = 0_u64;
    let mut refused: Option<(u64, u64, String)> = None;
    loop {
        line.clear();
        if reader.read_line(&mut line).map_err(failed)? == 0 {
            break;
        }
        number += 1;
        if line.trim().is_empty() {
            continue;
        }
        if let Err(e) = take(&line) {
            if !line.ends_with('\n') && e.is_eof() {
                warnings.push(format!("{} is cut in line {number}: that line is left out", file.display()));
                continue;
            }
            let first = refused.get_or_insert((0, number, e.to_string()));
            first.0 += 1;
        }
    }
    if let Some((count, first, why)) = refused {
        warnings
            .push(format!("{}: {count} lines are not understood, the first is line {first}: {why}", file.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cut_last_line_is_left_out_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("timeline.ndjson");
        let entry = r#"{"at_ns":5,"subject":"watch_gap","watch":"pods","detail":"x"}"#;
        fs::write(&file, format!("{entry}\n{}", &entry[..20])).unwrap();
        let mut warnings = Vec::new();
        let read: Vec<TimelineEntry> = read_ndjson(&file, &mut warnings).unwrap();
        assert_eq!(read.len(), 1);
        assert!(warnings[0].contains("cut in line 2"), "{warnings:?}");
    }

    #[test]
    fn foreign_lines_are_counted_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("timeline.ndjson");
        fs::write(&file, "{\"at_ns\":1}\nnonsense\n").unwrap();
        let mut warnings = Vec::new();
        let read: Vec<TimelineEntry> = read_ndjson(&file, &mut warnings).unwrap();
        assert!(read.is_empty());
        assert!(warnings[0].contains("2 lines"), "{warnings:?}");
    }

    #[test]
    fn records_without_their_last_line_are_called_cut() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("records-n.ndjson");
        fs::write(&file, "").unwrap();
        let mut warnings = Vec::new();
        read_records(&file, &mut warnings).unwrap();
        assert!(warnings[0].contains("cut"), "{warnings:?}");
        fs::write(&file, "{\"record\":\"end\",\"records\":0,\"loss\":{}}\n").unwrap();
        warnings.clear();
        read_records(&file, &mut warnings).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_directory_without_a_run_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let text = read_run(dir.path()).unwrap_err().to_string();
        assert!(text.contains("holds no run") && text.contains("fix:"), "{text}");
    }
}
