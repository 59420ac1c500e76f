//! `loadgen requests DIR`: single requests of a run.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::exit::Failure;
use super::output;
use crate::correlate::requests::{Selection, part_names, requests};
use crate::raw::RawRun;
use crate::raw::read::read_run;
use crate::report::requests::{header, row, table, whole};
use crate::report::schema::{Cause, RequestReport};

pub const HELP: &str = "Examples:
  loadgen rollout --out rollout-1
  loadgen requests rollout-1 --failed
  loadgen requests rollout-1 --seq 882
  loadgen requests rollout-1 --slower-than 50ms
  loadgen requests rollout-1 --cause stale_nat_entry -o ndjson
  loadgen requests rollout-1 -o csv

One request alone is told in full: each part of its way, each attempt at a pod, and the evidence.";

/// Lines of the table; all are in the other formats.
const TABLE_ROWS: usize = 1_000;

/// `requests`.
#[derive(Clone, Debug, Args)]
pub struct RequestsArgs {
    /// Directory of the run.
    pub dir: PathBuf,
    /// The request with this number. May be repeated.
    #[arg(long, value_name = "N")]
    pub seq: Vec<u64>,
    /// The request with this trace id. May be repeated.
    #[arg(long, value_name = "ID")]
    pub trace_id: Vec<String>,
    /// Only those that failed.
    #[arg(long)]
    pub failed: bool,
    /// Only those that failed for this reason, e.g. `refused_by_terminated_pod`.
    #[arg(long, value_parser = cause)]
    pub cause: Option<Cause>,
    /// Only those of this pod, serving or gateway.
    #[arg(long, value_name = "NAME")]
    pub pod: Option<String>,
    /// Only those that took longer.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub slower_than: Option<Duration>,
    /// What is written to stdout.
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: RowFormat,
}

/// What is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people: a line for each, or all about a single one.
    Table,
    /// A list of all.
    Json,
    /// A line of JSON for each.
    Ndjson,
    /// For spreadsheets: a row for each.
    Csv,
}

fn cause(name: &str) -> Result<Cause, String> {
    // The error names the closed list.
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|error| error.to_string())
}

/// Tells of the requests that are wanted.
pub fn run(args: &RequestsArgs) -> Result<u8, Failure> {
    let raw = read_run(&args.dir).map_err(Failure::tool)?;
    let wanted = Selection {
        seqs: args.seq.clone(),
        trace_ids: args.trace_id.iter().map(|id| id.to_ascii_lowercase()).collect(),
        failed: args.failed,
        cause: args.cause,
        pod: args.pod.clone(),
        slower_than_ns: args.slower_than.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
    };
    exist(&raw, args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&raw, &wanted, args.output, &mut out).and_then(|told| out.flush().map(|()| told)) {
        Ok(0) => eprintln!("· none of {} requests is like that", raw.client.len()),
        Ok(_) => {}
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(Failure::tool(format!("cannot write to stdout: {error}"))),
    }
    for warning in &raw.warnings {
        eprintln!("· {warning}");
    }
    Ok(0)
}

/// Whoever asks for a request by its number wants that one.
fn exist(raw: &RawRun, args: &RequestsArgs) -> Result<(), Failure> {
    let dir = args.dir.display();
    let known = |found: bool, what: String| {
        let last = raw.client.iter().map(|client| client.seq).max();
        let fix = last.map_or("it has none".to_owned(), |last| format!("fix: take one from 0 to {last}"));
        let message = format!("{dir} has no request {what}: {fix}");
        if found { Ok(()) } else { Err(Failure::usage(message)) }
    };
    for seq in &args.seq {
        known(raw.client.iter().any(|client| client.seq == *seq), seq.to_string())?;
    }
    for id in &args.trace_id {
        known(
            raw.client.iter().any(|client| client.trace_id().eq_ignore_ascii_case(id)),
            format!("with trace id {id}"),
        )?;
    }
    Ok(())
}

/// How many were told.
fn write(raw: &RawRun, wanted: &Selection, format: RowFormat, out: &mut impl Write) -> io::Result<usize> {
    let mut told = 0;
    match format {
        RowFormat::Table => {
            let mut shown = Vec::new();
            requests(raw, wanted, |request| {
                told += 1;
                if shown.len() < TABLE_ROWS {
                    shown.push(request);
                }
                Ok::<(), io::Error>(())
            })?;
            out.write_all(text(&shown, told).as_bytes())?;
        }
        RowFormat::Json | RowFormat::Ndjson => {
            let list = format == RowFormat::Json;
            requests(raw, wanted, |request| {
                if list {
                    out.write_all(if told == 0 { b"[\n" } else { b",\n" })?;
                }
                told += 1;
                serde_json::to_writer(&mut *out, &request)?;
                if list { Ok(()) } else { out.write_all(b"\n") }
            })?;
            if list {
                out.write_all(if told == 0 { b"[]\n" } else { b"\n]\n" })?;
            }
        }
        RowFormat::Csv => {
            let mut rows = csv::Writer::from_writer(out);
            rows.write_record(header(part_names())).map_err(cause_of)?;
            requests(raw, wanted, |request| {
                told += 1;
                rows.write_record(row(&request, part_names())).map_err(cause_of)
            })?;
            rows.flush()?;
        }
    }
    Ok(told)
}

/// What the writer itself said: a closed pipe must be known as one.
fn cause_of(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn text(shown: &[RequestReport], told: usize) -> String {
    let style = output::style();
    match shown {
        [] => String::new(),
        [one] => whole(one, style),
        many => {
            let left_out = told - many.len();
            let rest = format!("… and {left_out} more: -o csv and -o ndjson tell of all\n");
            table(many, style) + if left_out > 0 { &rest } else { "" }
        }
    }
}
