//! The whole agent on this machine: its own binary, real packets over loopback, its API, its end.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use observer::api::{Problem, RecordsEnd, Run, Status};
use observer::record::{Connection, Exchange, ExchangeEnd, Outcome, Record};
use serde::de::DeserializeOwned;
use support::is_root;

const BINARY: &str = env!("CARGO_BIN_EXE_observer");
const RUN: &str = "00112233aabbccdd";

/// A free port; it stays free long enough.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running agent, ended with the test.
struct Agent {
    child: Child,
    address: SocketAddr,
}

impl Agent {
    fn start(ports: &[u16]) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new(BINARY);
        command.args(["run", "--no-kubernetes", "--node", "test-node", "--listen", &address.to_string()]);
        for port in ports {
            command.args(["--port", &port.to_string()]);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("; ready") {
            let before = said.len();
            log.read_line(&mut said).unwrap();
            assert!(said.len() > before, "the agent ended before it was ready:\n{said}");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
        Self { child, address }
    }

    /// Status and body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = talk(self.address, &[head.as_bytes(), body.as_bytes()].concat());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body = if head.contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_owned() };
        (head[9..12].parse().unwrap(), body)
    }

    fn get<T: DeserializeOwned>(&self, method: &str, path: &str, body: &str, status: u16) -> T {
        let (found, body) = self.ask(method, path, body);
        assert_eq!(found, status, "{method} {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn end(mut self) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > deadline => panic!("SIGTERM does not end the agent"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unchunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text.push_str(&rest[..length]);
        body = rest[length..].strip_prefix("\r\n").unwrap();
        if length == 0 {
            break;
        }
    }
    text
}

/// Sends, then reads to the end.
fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Answers each connection's request with a short body, for as long as the test lives.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n").unwrap();
        }
    });
    address
}

fn request(address: SocketAddr, trace_id: Option<&str>, agent: &str) {
    let trace = trace_id.map_or(String::new(), |id| format!("traceparent: 00-{id}-00f067aa0ba902b7-01\r\n"));
    let request = format!("GET /predict?secret=1 HTTP/1.1\r\nhost: x\r\nuser-agent: {agent}\r\n{trace}\r\n");
    assert!(talk(address, request.as_bytes()).starts_with("HTTP/1.1 200"));
}

fn records(text: &str) -> (Vec<Connection>, Vec<Exchange>, RecordsEnd) {
    let (mut connections, mut exchanges) = (Vec::new(), Vec::new());
    let mut lines: Vec<&str> = text.lines().collect();
    let end = serde_json::from_str(lines.pop().unwrap()).unwrap();
    for line in lines {
        match serde_json::from_str(line).unwrap() {
            Record::Connection(connection) => connections.push(connection),
            Record::Exchange(exchange) => exchanges.push(exchange),
            Record::Translation(_) => panic!("nothing is translated here"),
            Record::Throttling(_) | Record::Pressure(_) => panic!("there are no pods here"),
        }
    }
    (connections, exchanges, end)
}

fn announcement() -> String {
    format!(
        r#"{{"id":"{RUN}","namespace":"lab","gateway_service":"gateway","upstream_service":"echo","client":"a test"}}"#
    )
}

#[test]
fn a_run_from_announcement_to_deletion() {
    if !is_root("a_run_from_announcement_to_deletion") {
        return;
    }
    let (server, closed) = (serve(), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let agent = Agent::start(&[server.port(), closed.port()]);
    assert_eq!(agent.ask("GET", "/healthz", ""), (200, "ok\n".into()));

    request(server, Some(&format!("{RUN}{:016x}", 999)), "before the run");
    let run: Run = agent.get("POST", "/v1/runs", &announcement(), 201);
    assert_eq!((run.id.as_str(), run.closed_ns), (RUN, None));
    let problem: Problem = agent.get("POST", "/v1/runs", &announcement().replace(RUN, "ffffffffffffffff"), 409);
    assert!(problem.error.contains("a test") && problem.fix.contains(RUN), "{problem:?}");

    for seq in 0..20 {
        request(server, Some(&format!("{RUN}{seq:016x}")), "test");
    }
    request(server, Some("ffffffffffffffff0000000000000001"), "another run");
    request(server, None, "plain");
    request(server, None, "kube-probe/1.36");
    for _ in 0..3 {
        assert!(TcpStream::connect(closed).is_err());
    }
    let run: Run = agent.get("POST", &format!("/v1/runs/{RUN}/close"), "", 200);
    assert!(run.closed_ns.is_some());
    request(server, Some(&format!("{RUN}{:016x}", 1000)), "after the run");

    let (status, text) = agent.ask("GET", &format!("/v1/records?run={RUN}"), "");
    assert_eq!(status, 200);
    let (connections, exchanges, end) = records(&text);
    assert_eq!((end.record.as_str(), end.records), ("end", (connections.len() + exchanges.len()) as u64));
    assert_eq!((run.records, run.records_dropped), (end.records, 0));
    assert_eq!(end.loss, BTreeMap::new(), "nothing was lost");

    // Each request is seen at both of its sockets, complete, and without its query.
    let mut seen: BTreeMap<Option<String>, u32> = BTreeMap::new();
    for exchange in &exchanges {
        assert_eq!((exchange.status, exchange.end), (Some(200), ExchangeEnd::Complete), "{exchange:?}");
        assert_eq!((exchange.path.as_str(), exchange.node.as_str()), ("/predict", "test-node"));
        *seen.entry(exchange.trace_id.clone()).or_default() += 1;
    }
    let mut expected: BTreeMap<_, _> = (0..20).map(|seq| (Some(format!("{RUN}{seq:016x}")), 2)).collect();
    expected.insert(None, 2);
    assert_eq!(seen, expected);
    let refused: Vec<_> = connections.iter().filter(|it| it.outcome == Outcome::Refused).collect();
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|it| it.remote == closed && it.reset_received_ns.is_some()));

    let status: Status = agent.get("GET", "/status", "", 200);
    assert!(status.canary_seen && status.programs.iter().all(|program| program.attached), "{:?}", status.programs);
    assert_eq!(status.counters.get("probes"), Some(&2), "the probe's request, at both sockets: {:?}", status.counters);
    let (_, metrics) = agent.ask("GET", "/metrics", "");
    assert!(metrics.contains(r#"podwitness_exchanges_total{hop="other",pod="unknown",status="2xx"}"#), "{metrics}");

    assert_eq!(agent.ask("DELETE", &format!("/v1/runs/{RUN}"), "").0, 204);
    assert_eq!(agent.ask("GET", &format!("/v1/records?run={RUN}"), "").0, 404);
    assert!(agent.end().success());
}

#[test]
fn a_connection_that_is_open_at_the_close_is_told_as_it_stands() {
    if !is_root("a_connection_that_is_open_at_the_close_is_told_as_it_stands") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let agent = Agent::start(&[address.port()]);
    let _: Run = agent.get("POST", "/v1/runs", &announcement(), 201);
    let mut client = TcpStream::connect(address).unwrap();
    let _accepted = listener.accept().unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let started = Instant::now();
    let _: Run = agent.get("POST", &format!("/v1/runs/{RUN}/close"), "", 200);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let (connections, exchanges, _) = records(&agent.ask("GET", &format!("/v1/records?run={RUN}"), "").1);
    assert_eq!(connections.len(), 2);
    assert!(
        connections.iter().all(|it| it.outcome == Outcome::Established && it.closed_ns.is_none()),
        "{connections:?}"
    );
    assert_eq!(exchanges.len(), 2);
    assert!(exchanges.iter().all(|it| it.end == ExchangeEnd::Open && it.status.is_none()), "{exchanges:?}");
}

#[test]
fn check_and_status_say_how_it_is() {
    if !is_root("check_and_status_say_how_it_is") {
        return;
    }
    let check = Command::new(BINARY).args(["check", "--no-kubernetes", "-o", "json"]).output().unwrap();
    assert!(check.status.success(), "{check:?}");
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&check.stdout).unwrap();
    assert!(findings.iter().any(|finding| finding["name"] == "conntrack" && finding["ok"] == true), "{findings:?}");

    let agent = Agent::start(&[]);
    let url = format!("http://{}", agent.address);
    let status = Command::new(BINARY).args(["status", "--url", &url]).output().unwrap();
    assert!(status.status.success());
    assert!(String::from_utf8_lossy(&status.stdout).contains("test connection seen"));
    let quiet = Command::new(BINARY).args(["status", "--quiet", "--url", &url]).output().unwrap();
    assert!(quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty());

    let second = Command::new(BINARY).args(["run", "--listen", &agent.address.to_string()]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is another agent running?"));
    assert!(agent.end().success());
    let gone = Command::new(BINARY).args(["status", "--url", &url]).output().unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("start one with `observer run`"));
}

#[test]
fn nonsense_is_a_usage_error() {
    for args in
        [&["run", "--port", "0"][..], &["run", "--gateway-service", "nameless"], &["dance"], &["status", "-o", "xml"]]
    {
        let output = Command::new(BINARY).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}
