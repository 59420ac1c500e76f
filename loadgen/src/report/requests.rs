//! Single requests as text, and as rows for a spreadsheet.

use super::figure::us;
use super::schema::{RequestAttempt, RequestPart, RequestReport};
use super::summary::{Style, escape, lines, short};

/// Columns of the longest bar.
const BAR: u64 = 40;

/// A line for each.
pub fn table(requests: &[RequestReport], style: Style) -> String {
    let mut table = style.table(&["request", "sent at", "latency", "client", "gateway", "pod", "why"]);
    for request in requests {
        table.add_row([
            request.seq.to_string(),
            time_of_day(&request.sent_at),
            us(Some(request.latency_us.round() as u64)),
            escape(request.outcome.strip_prefix("status ").unwrap_or(&request.outcome)),
            request.gateway_pod.as_deref().map_or("–".to_owned(), own_name),
            request.pod.as_deref().map_or("–".to_owned(), short),
            why(request),
        ]);
    }
    lines(&table)
}

/// The cause, or the longest part of the way.
fn why(request: &RequestReport) -> String {
    let longest = request.parts.iter().flatten().max_by_key(|part| part.duration_ns);
    let why = match (request.cause, longest) {
        (Some(cause), _) => cause.name().to_owned(),
        (None, Some(part)) => format!("{}: {}", part.name, us(Some(rounded_us(part.duration_ns)))),
        (None, None) => "way not measured".to_owned(),
    };
    match request.attempts.len() {
        0 | 1 => why,
        several => format!("{why}, {several} attempts"),
    }
}

/// What tells a pod from others of its Deployment: `…-mjvtq`.
fn own_name(pod: &str) -> String {
    let short = short(pod);
    short.find('…').map_or(short.clone(), |at| short[at..].to_owned())
}

/// All that is known of one.
pub fn whole(request: &RequestReport, style: Style) -> String {
    let mut out = heading(request, style);
    if let Some(parts) = &request.parts {
        out += &(String::from("\n") + &style.title("Where its time went") + &way(parts, style));
    } else if request.succeeded {
        out += &style.paragraph("  ", "Its way was not measured.");
    }
    if !request.attempts.is_empty() {
        out += &(String::from("\n") + &style.title("Attempts at a pod") + &attempts(request, style));
    }
    if !request.evidence.is_empty() {
        let mut table = style.table(&["after sending", "what", "said by"]);
        for fact in &request.evidence {
            table.add_row([after(request, fact.at_ns), escape(&fact.what), escape(&fact.source)]);
        }
        out += &(String::from("\n") + &style.title("Evidence") + &lines(&table));
    }
    out
}

fn heading(request: &RequestReport, style: Style) -> String {
    let title = format!(
        "Request {}: {} after {}",
        request.seq,
        escape(&request.outcome),
        us(Some(request.latency_us.round() as u64)).replace('\u{a0}', " ")
    );
    let gateway = request.gateway_pod.as_deref().unwrap_or("a gateway pod that is not known");
    let pod = request.pod.as_deref();
    let said = match (pod, request.pod_by_answer.as_deref()) {
        (Some(pod), Some(named)) if pod == named => ", which is the name in the answer".to_owned(),
        (Some(_), Some(named)) => format!(", but the answer names {named}"),
        _ => String::new(),
    };
    let joined = request.joined_by.map_or(String::new(), |way| format!(" (joined by {})", way.name()));
    let text = match request.cause {
        Some(cause) => {
            let at = pod.map_or(String::new(), |pod| format!(", at pod {pod}"));
            format!("{}: {}{at}, by way of {gateway}{joined}.", cause.name(), cause.in_words())
        }
        None => match pod {
            Some(pod) => format!("Served by pod {pod}{said}, by way of {gateway}{joined}."),
            None => format!("By way of {gateway}; which pod served it is not known."),
        },
    };
    let title = if request.succeeded { style.title(&title) } else { style.bad(&title) + "\n" };
    title
        + &style.paragraph("  ", &escape(&text))
        + &style.paragraph("  ", &format!("Trace id {}, sent at {}.", request.trace_id, request.sent_at))
}

fn way(parts: &[RequestPart], style: Style) -> String {
    let longest = parts.iter().map(|part| part.duration_ns).max().unwrap_or(0).max(1);
    let mut table = style.table(&["part", "time", ""]);
    for part in parts {
        let bar = part.duration_ns * BAR / longest;
        table.add_row([
            part.name.clone(),
            us(Some(rounded_us(part.duration_ns))),
            "█".repeat(usize::try_from(bar).unwrap_or(0)),
        ]);
    }
    lines(&table)
}

fn attempts(request: &RequestReport, style: Style) -> String {
    let mut table = style.table(&["after sending", "pod", "what", "joined by"]);
    for attempt in &request.attempts {
        table.add_row([
            after(request, attempt.at_ns),
            attempt.pod.as_deref().map_or("–".to_owned(), short),
            in_words(attempt),
            attempt.joined_by.name().to_owned(),
        ]);
    }
    lines(&table)
}

/// `10.244.0.4:53744 dialled 10.96.189.249:5000, led to 10.244.0.7:5000 (new): refused`.
fn in_words(attempt: &RequestAttempt) -> String {
    let text = |text: &Option<String>| text.as_deref().map_or("an unknown address".to_owned(), escape);
    let made = if attempt.connection_reused { "kept".to_owned() } else { spelled(attempt.connection.as_ref()) };
    let answer = attempt.status.map_or(String::new(), |status| format!(", status {status}"));
    let led = match (&attempt.chosen, attempt.nat_source.as_ref()) {
        (Some(chosen), Some(source)) => format!(", led to {} ({})", escape(chosen), spelled(Some(source))),
        _ => String::new(),
    };
    format!("{} dialled {}{led}: {made}{answer}", text(&attempt.source), text(&attempt.dialled))
}

/// A value of a closed list as `report.json` spells it.
fn spelled(value: Option<&impl serde::Serialize>) -> String {
    let spelled = value.and_then(|value| serde_json::to_value(value).ok());
    spelled.as_ref().and_then(serde_json::Value::as_str).unwrap_or("–").to_owned()
}

fn after(request: &RequestReport, at_ns: u64) -> String {
    let ms = (i128::from(at_ns) - i128::from(request.sent_ns)) as f64 / 1e6;
    format!("{ms:+.3}\u{a0}ms")
}

fn rounded_us(ns: u64) -> u64 {
    (ns + 500) / 1_000
}

/// `12:00:52.041` of an RFC 3339 time.
fn time_of_day(rfc3339: &str) -> String {
    let time = rfc3339.split_once('T').map_or(rfc3339, |(_, time)| time);
    time.chars().take("12:00:52.041".len()).collect()
}

/// Names of the columns of a row, before one for each part in microseconds.
const COLUMNS: [&str; 14] = [
    "seq",
    "trace_id",
    "sent_at",
    "latency_us",
    "succeeded",
    "status",
    "outcome",
    "cause",
    "gateway_pod",
    "pod",
    "pod_by_answer",
    "joined_by",
    "attempts",
    "connection_reused",
];

/// The first row of a spreadsheet.
pub fn header<'p>(parts: impl Iterator<Item = &'p str>) -> Vec<String> {
    COLUMNS.iter().map(ToString::to_string).chain(parts.map(|name| format!("{name}_us"))).collect()
}

/// A request's row. What was not measured is empty.
pub fn row<'p>(request: &RequestReport, parts: impl Iterator<Item = &'p str>) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let duration = |name: &str| {
        let found = request.parts.iter().flatten().find(|part| part.name == name);
        found.map_or(String::new(), |part| format!("{:.3}", part.duration_ns as f64 / 1e3))
    };
    let reused = request.attempts.last().map_or(String::new(), |last| last.connection_reused.to_string());
    let fixed = [
        request.seq.to_string(),
        request.trace_id.clone(),
        request.sent_at.clone(),
        format!("{:.3}", request.latency_us),
        request.succeeded.to_string(),
        request.status.map_or(String::new(), |status| status.to_string()),
        request.outcome.clone(),
        request.cause.map_or(String::new(), |cause| cause.name().to_owned()),
        text(&request.gateway_pod),
        text(&request.pod),
        text(&request.pod_by_answer),
        request.joined_by.map_or(String::new(), |way| way.name().to_owned()),
        request.attempts.len().to_string(),
        reused,
    ];
    fixed.into_iter().chain(parts.map(duration)).collect()
}
