//! One line for each answer, in http-echo's form, so that the lab's `kubectl logs` shows what its text promises.

use std::net::SocketAddr;
use std::time::Duration;

/// `2026/01/31 12:00:00 localhost:5000 10.244.0.7:53262 "GET / HTTP/1.1" 200 13 "curl/8.5.0" 12.3µs`
pub struct Line<'a> {
    /// The request's Host.
    pub host: &'a str,
    /// Who asked.
    pub peer: SocketAddr,
    /// Method, target and version.
    pub request: &'a str,
    /// Status of the answer.
    pub status: u16,
    /// Bytes of its body.
    pub body_bytes: usize,
    /// The request's User-Agent.
    pub agent: &'a str,
    /// From the head read to the answer ready.
    pub took: Duration,
}

impl Line<'_> {
    /// Writes it to stdout. A reader that is gone is no reason to stop serving.
    pub fn print(&self) {
        use std::io::Write;
        let now = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        let Self { host, peer, request, status, body_bytes, agent, took } = self;
        _ = writeln!(
            std::io::stdout(),
            r#"{now} {host} {peer} "{request}" {status} {body_bytes} "{}" {took:?}"#,
            agent.escape_debug()
        );
    }
}
