//! From a request to its answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use crate::access_log::Line;
use crate::burn::burn;
use crate::server::Server;
use crate::stats::Asker;
use crate::switches::{BadSwitch, Switches, pairs};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Before a switch's name in a request's header.
const SWITCH_HEADER: &str = "x-inference-";

/// What an answer is made of.
struct Answer {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
}

impl Answer {
    fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self { status, content_type: JSON, body: format!("{value}\n").into() }
    }

    fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self { status, content_type: TEXT, body: text.into() }
    }

    fn problem(error: &BadSwitch) -> Self {
        Self::text(StatusCode::BAD_REQUEST, format!("{error}\n"))
    }
}

/// Answers one request.
pub async fn answer(server: &Server, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let begun = Instant::now();
    let asker = asker(&request);
    let Answer { status, content_type, body } = match (request.uri().path(), asker) {
        ("/_stats", _) => Answer::json(StatusCode::OK, &server.stats_json()),
        ("/_admin", _) => admin(server, &request),
        ("/health", _) => Answer::json(StatusCode::OK, &serde_json::json!({ "status": "ok" })),
        (_, Asker::Probe) if !server.affect_probes => Answer::text(server.status, server.text.clone()),
        _ => predict(server, &request).await,
    };
    server.stats.answered(asker, status.as_u16());
    if server.access_log {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let (host, agent) = (text(header::HOST), text(header::USER_AGENT));
        Line {
            host,
            peer,
            request: &line,
            status: status.as_u16(),
            body_bytes: body.len(),
            agent,
            took: begun.elapsed(),
        }
        .print();
    }

    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(HeaderName::from_static("x-app-name"), HeaderValue::from_static("http-echo"));
    headers.insert(HeaderName::from_static("x-app-version"), HeaderValue::from_static(server.behaviour.release()));
    headers.insert(HeaderName::from_static("x-version"), server.version.clone());
    headers.insert(HeaderName::from_static("x-pod-name"), server.pod_name.clone());
    if server.is_stopping() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn asker(request: &Request<Incoming>) -> Asker {
    let agent = request.headers().get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    match request.uri().path() {
        "/_stats" | "/_admin" => Asker::Operator,
        _ if agent.starts_with(b"kube-probe/") => Asker::Probe,
        _ => Asker::Client { traced: request.headers().contains_key("traceparent") },
    }
}

async fn predict(server: &Server, request: &Request<Incoming>) -> Answer {
    let ordinal = server.stats.begin();
    let switches = match server.switches().for_request(own_switches(request)) {
        Ok(switches) => switches,
        Err(error) => return Answer::problem(&error),
    };
    let wait_ms = switches.wait_ms(ordinal);
    if wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    if switches.burn_ms > 0 {
        // A join error would mean a panic while burning: the answer is due all the same.
        _ = tokio::task::spawn_blocking(move || burn(Duration::from_millis(switches.burn_ms))).await;
    }
    if switches.fails(ordinal) {
        let status = StatusCode::from_u16(switches.fail_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Answer::text(status, format!("failed on purpose with {status}\n"));
    }
    Answer::text(server.status, sized(&server.text, &switches))
}

/// The switches of a request: its query's first, its headers' on top.
fn own_switches(request: &Request<Incoming>) -> impl Iterator<Item = (String, &str)> {
    let query = pairs(request.uri().query()).map(|(name, value)| (name.to_owned(), value));
    query.chain(header_switches(request.headers()))
}

fn header_switches(headers: &HeaderMap) -> impl Iterator<Item = (String, &str)> {
    headers.iter().filter_map(|(name, value)| {
        let switch = name.as_str().strip_prefix(SWITCH_HEADER)?;
        // A value that is no text becomes an empty one, which no switch takes.
        Some((switch.replace('-', "_"), value.to_str().unwrap_or_default()))
    })
}

/// The text, or the text repeated and cut to the asked size with its newline last.
fn sized(text: &Bytes, switches: &Switches) -> Bytes {
    let size = usize::try_from(switches.body_bytes).unwrap_or(usize::MAX);
    if size == 0 {
        return text.clone();
    }
    let mut body: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\n').cycle().take(size - 1).collect();
    body.resize(size - 1, b'.');
    body.push(b'\n');
    body.into()
}

/// `GET` shows the switches, `POST` sets those in the query; `reset` first puts them back to what the flags say.
fn admin(server: &Server, request: &Request<Incoming>) -> Answer {
    match *request.method() {
        Method::GET => Answer::json(StatusCode::OK, &server.switches().to_json()),
        Method::POST => {
            let mut switches = server.switches();
            for (name, value) in pairs(request.uri().query()) {
                if name == "reset" {
                    switches = server.switches_at_start;
                } else if let Err(error) = switches.set(name, value) {
                    return Answer::problem(&error);
                }
            }
            server.set_switches(switches);
            Answer::json(StatusCode::OK, &switches.to_json())
        }
        _ => Answer::text(StatusCode::METHOD_NOT_ALLOWED, "use GET to see the switches, POST to set them\n"),
    }
}
