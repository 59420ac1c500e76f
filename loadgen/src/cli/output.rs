//! Results on stdout.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use super::args::Format;
use super::exit::Failure;
use crate::report::schema::Report;
use crate::report::summary::{Style, summary};

/// Whether colour may be used on a stream.
pub fn color(stream: &impl IsTerminal) -> bool {
    // https://no-color.org: set and not empty means no colour.
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && stream.is_terminal()
}

/// Writes a report in the format that was asked for.
pub fn print(report: &Report, format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Table => summary(report, style()),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report).map_err(Failure::tool)?),
        Format::Ndjson => ndjson(report)?,
    };
    write(&text)
}

/// Writes text to stdout.
pub fn write(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::tool(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

pub fn style() -> Style {
    let width = terminal_size::terminal_size_of(io::stdout()).map_or(100, |(width, _)| width.0);
    Style { width, color: color(&io::stdout()) }
}

/// One line for the run, then one for each entry of its lists.
fn ndjson(report: &Report) -> Result<String, Failure> {
    let Value::Object(mut whole) = serde_json::to_value(report).map_err(Failure::tool)? else {
        return Err(Failure::tool("the report is no object"));
    };
    let mut lines = Vec::new();
    for (list, kind) in [("pods", "pod"), ("failures", "failure"), ("slow", "slow"), ("timeline", "timeline")] {
        if let Some(Value::Array(entries)) = whole.remove(list) {
            lines.extend(entries.into_iter().map(|entry| json!({"type": kind, kind: entry})));
        }
    }
    let mut text = json!({"type": "run", "run": whole}).to_string();
    for line in lines {
        text.push('\n');
        text.push_str(&line.to_string());
    }
    text.push('\n');
    Ok(text)
}
