//! Reading a run's raw files back, also those of a run that was cut short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use observer::api::RecordsEnd;
use observer::record::{Connection, Exchange, Record, Translation};

use super::compact::{Records, Requests, Text};
use super::lines::for_each_line;
use super::pack::ENDING;
use super::{ClientRequest, FORMAT, Lag, ObserverFile, RunFile, TimelineEntry};

/// Everything known of one run.
#[derive(Clone, Debug)]
pub struct RawRun {
    /// `run.json`.
    pub run: RunFile,
    /// `client.ndjson.gz`, in order of `seq`.
    pub client: Requests,
    /// `lags.ndjson.gz`, each sender's in order of time. Empty: none, or not measured.
    pub lags: Vec<Lag>,
    /// `timeline.ndjson`, in order of time.
    pub timeline: Vec<TimelineEntry>,
    /// `records-NODE.ndjson.gz`: each node's records, in the node's clock. Without the last line.
    pub records: Records,
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
    /// Written by a later version.
    #[error(
        "{file} is of format {found}, and this loadgen knows formats up to {FORMAT}\n  fix: use the version of loadgen that made the run, or a later one"
    )]
    TooNew {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
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
    let client = read_client(&raw, &run.id, &mut warnings)?;
    if run.sent == 0 && !client.is_empty() {
        killed(&mut run, &client);
        warnings.push("the load generator was killed: requests under way at that moment are not counted".to_owned());
    }
    let lags = read_lags(&raw, &mut warnings)?;
    let mut timeline: Vec<TimelineEntry> = Vec::new();
    if let Some(file) = file_of(&raw, "timeline.ndjson", &mut warnings) {
        let read = |part: &mut Vec<_>, line: &[u8]| serde_json::from_slice(line).map(|entry| part.push(entry));
        for_each_line(&file, &mut warnings, Vec::new, read, |part| timeline.extend(part))?;
    }
    timeline.sort_by_key(|entry| entry.at_ns);
    let (mut records, mut observers) = (Records::new(&run.id), Vec::new());
    for name in names(&raw)? {
        if let Some(node) = node_of(&name, "records-", ".ndjson") {
            if let Some(file) = either(&raw, &name) {
                let node = records.node(node);
                read_records(&file, node, &mut records, &mut warnings)?;
            }
        } else if node_of(&name, "observer-", ".json").is_some() {
            let file = raw.join(&name);
            match fs::read(&file).map(|text| serde_json::from_slice::<ObserverFile>(&text)) {
                Ok(Ok(observer)) => observers.push(observer),
                Ok(Err(e)) => warnings.push(format!("{name} is not understood: {e}")),
                Err(source) => return Err(ReadError::Io { file, source }),
            }
        }
    }
    records.shrink();
    let mut run = RawRun { run, client, lags, timeline, records, observers, warnings: Vec::new() };
    tell_missing_records(&run, &mut warnings);
    run.warnings = warnings;
    Ok(run)
}

/// `NODE` of a file's name.
fn node_of<'n>(name: &'n str, kind: &str, ending: &str) -> Option<&'n str> {
    name.strip_prefix(kind)?.strip_suffix(ending)
}

/// A process that was killed never wrote what it had sent; what its records say is all there is.
fn killed(run: &mut RunFile, client: &Requests) {
    run.sent = client.len() as u64;
    run.started_ns = client.iter().map(|request| request.due_ns).min().unwrap_or(run.started_ns);
    run.ended_ns = client.iter().map(|request| request.end_ns).max().unwrap_or(run.ended_ns);
}

fn read_run_file(dir: &Path, file: &Path) -> Result<RunFile, ReadError> {
    let text =
        fs::read(file).map_err(|source| ReadError::NotARun { dir: dir.to_owned(), file: file.to_owned(), source })?;
    let bad = |source| ReadError::BadRunFile { file: file.to_owned(), source };
    // The version first: what else a later one holds may not even be understood.
    let Version { schema_version } = serde_json::from_slice(&text).map_err(bad)?;
    if schema_version > FORMAT {
        return Err(ReadError::TooNew { file: file.to_owned(), found: schema_version });
    }
    serde_json::from_slice(&text).map_err(bad)
}

#[derive(serde::Deserialize)]
struct Version {
    schema_version: u32,
}

/// Names of the directory's files without the ending of packed ones, each once and in order, so that reading twice gives
/// the same.
fn names(raw: &Path) -> Result<BTreeSet<String>, ReadError> {
    let failed = |source| ReadError::Io { file: raw.to_owned(), source };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(raw).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        names.insert(name.strip_suffix(ENDING).unwrap_or(&name).to_owned());
    }
    Ok(names)
}

/// The file of that name, packed or plain. Where both are there, the packed one: it is what the run wrote.
fn either(raw: &Path, name: &str) -> Option<PathBuf> {
    let plain = raw.join(name);
    let packed = raw.join(format!("{name}{ENDING}"));
    [packed, plain].into_iter().find(|file| file.is_file())
}

/// The same of a file that every run has.
fn file_of(raw: &Path, name: &str, warnings: &mut Vec<String>) -> Option<PathBuf> {
    let file = either(raw, name);
    if file.is_none() {
        warnings.push(format!("{} is missing", raw.join(name).display()));
    }
    file
}

fn read_client(raw: &Path, run_id: &str, warnings: &mut Vec<String>) -> Result<Requests, ReadError> {
    let mut client = Requests::new(run_id);
    if let Some(file) = file_of(raw, "client.ndjson", warnings) {
        let empty = client.part();
        let read = |part: &mut Requests, line: &[u8]| {
            let request: ClientRequest<Text<'_>> = serde_json::from_slice(line)?;
            part.push(&request);
            Ok(())
        };
        for_each_line(&file, warnings, || empty.clone(), read, |part| client.append(part))?;
    }
    client.sort();
    Ok(client)
}

/// Runs of earlier versions have none.
fn read_lags(raw: &Path, warnings: &mut Vec<String>) -> Result<Vec<Lag>, ReadError> {
    let mut lags: Vec<Lag> = Vec::new();
    if let Some(file) = either(raw, "lags.ndjson") {
        let read = |part: &mut Vec<Lag>, line: &[u8]| serde_json::from_slice(line).map(|lag| part.push(lag));
        for_each_line(&file, warnings, Vec::new, read, |part| lags.extend(part))?;
    }
    lags.sort_by_key(|lag| (lag.shard, lag.due_ns));
    Ok(lags)
}

/// Records of one node. Their last line is the agent's own count: a file without it, or with another count, is cut.
fn read_records(file: &Path, node: u16, records: &mut Records, warnings: &mut Vec<String>) -> Result<(), ReadError> {
    let (before, empty) = (records.len(), records.part());
    let mut end = None;
    let read = |(part, end): &mut (Records, Option<RecordsEnd>), line: &[u8]| match read_record(line, node, part) {
        Ok(()) => Ok(()),
        Err(e) => match serde_json::from_slice::<RecordsEnd>(line) {
            Ok(last) if last.record == "end" => {
                *end = Some(last);
                Ok(())
            }
            _ => Err(e),
        },
    };
    for_each_line(
        file,
        warnings,
        || (empty.clone(), None),
        read,
        |(part, last)| {
            records.append(part);
            end = last.or(end.take());
        },
    )?;
    match end {
        None => {
            warnings.push(format!("{} is not whole: its last line, the agent's own count, is missing", file.display()));
        }
        Some(end) if end.records != (records.len() - before) as u64 => {
            warnings.push(format!(
                "{} is not whole: {} records of {} are there",
                file.display(),
                records.len() - before,
                end.records
            ));
        }
        Some(_) => {}
    }
    Ok(())
}

/// A line whose first field says what it is, as the agent writes it, is read straight into its kind. Any other line, and one that is
/// not understood, takes the long way, which also finds the words for what is wrong with it.
fn read_record(line: &[u8], node: u16, records: &mut Records) -> Result<(), serde_json::Error> {
    if let Ok(text) = std::str::from_utf8(line)
        && let Some(rest) = text.strip_prefix(r#"{"record":""#)
    {
        if rest.starts_with(r#"exchange","#)
            && let Ok(exchange) = serde_json::from_str::<Exchange<Text<'_>>>(text)
        {
            records.push_exchange(node, &exchange);
            return Ok(());
        }
        if rest.starts_with(r#"connection","#)
            && let Ok(connection) = serde_json::from_str::<Connection<Text<'_>>>(text)
        {
            records.push_connection(node, &connection);
            return Ok(());
        }
        if rest.starts_with(r#"translation","#)
            && let Ok(translation) = serde_json::from_str::<Translation<Text<'_>>>(text)
        {
            records.push_translation(node, &translation);
            return Ok(());
        }
    }
    let record: Record = serde_json::from_slice(line)?;
    records.push(node, &record);
    Ok(())
}

/// An agent that had closed the run, and whose records are not there: somebody lost a file.
fn tell_missing_records(run: &RawRun, warnings: &mut Vec<String>) {
    for observer in &run.observers {
        let counted = observer.records_end.as_ref().map_or(0, |end| end.records);
        if counted > 0 && !run.records.nodes().contains(&observer.node) {
            warnings.push(format!(
                "the {counted} records of node {} are missing: records-{0}.ndjson{ENDING}",
                observer.node
            ));
        }
    }
    for node in run.records.nodes() {
        if !run.observers.iter().any(|observer| observer.node == *node) {
            warnings.push(format!(
                "observer-{node}.json is missing or not understood: loss, cost and clock of node {node} are not known"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_without_their_last_line_are_called_cut() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("records-n.ndjson");
        fs::write(&file, "").unwrap();
        let mut warnings = Vec::new();
        read_records(&file, 0, &mut Records::default(), &mut warnings).unwrap();
        assert!(warnings[0].contains("not whole"), "{warnings:?}");
        fs::write(&file, "{\"record\":\"end\",\"records\":0,\"loss\":{}}\n").unwrap();
        warnings.clear();
        read_records(&file, 0, &mut Records::default(), &mut warnings).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_line_is_the_same_record_on_either_way() {
        let nat = r#"{"dialled":"10.0.0.2:2","chosen":"10.0.0.3:3","source_seen":"10.0.0.1:1","pod":{"namespace":"lab","name":"a","uid":"u"},"created_ns":5,"source":"new"}"#;
        let fields = format!(r#""node":"n","client":"10.0.0.1:1","nat":{nat}"#);
        let usual = format!(r#"{{"record":"translation",{fields}}}"#);
        let read = |line: &str| {
            let mut records = Records::default();
            let read = read_record(line.as_bytes(), 0, &mut records);
            read.map(|()| format!("{records:?}")).map_err(|e| e.to_string())
        };
        assert!(read(&usual).unwrap().contains("TranslationRow"));
        assert_eq!(read(&format!(r#"{{{fields},"record":"translation"}}"#)), read(&usual));
        assert_eq!(read(&usual.replace(r#""name":"a""#, r#""name":"\u0061""#)), read(&usual));
        for broken in [usual.replace(":5,", r#":"x","#), usual.replace("translation", "later"), usual[..90].to_owned()]
        {
            let why = serde_json::from_str::<Record>(&broken).unwrap_err().to_string();
            assert_eq!(read(&broken).unwrap_err(), why);
        }
    }

    #[test]
    fn lags_are_read_where_there_are_any() {
        let dir = tempfile::tempdir().unwrap();
        let mut warnings = Vec::new();
        assert!(read_lags(dir.path(), &mut warnings).unwrap().is_empty() && warnings.is_empty());
        fs::write(dir.path().join("lags.ndjson"), "{\"due_ns\":7,\"ran_ns\":9}\n{\"due_ns\":1,\"ran_ns\":5}\n{\"due")
            .unwrap();
        let lags = read_lags(dir.path(), &mut warnings).unwrap();
        assert_eq!(lags.iter().map(|lag| (lag.due_ns, lag.ran_ns)).collect::<Vec<_>>(), [(1, 5), (7, 9)]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn a_directory_without_a_run_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let text = read_run(dir.path()).unwrap_err().to_string();
        assert!(text.contains("holds no run") && text.contains("fix:"), "{text}");
    }
}
