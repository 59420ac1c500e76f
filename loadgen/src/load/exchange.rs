//! Reading one answer to its end.

use std::error::Error;
use std::net::SocketAddr;

use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::Response;
use reqwest::header::HeaderMap;

use super::classify::{Phase, classify};
use super::clock::monotonic_ns;
use crate::raw::{ClientError, ClientErrorKind, ClientRequest};

/// Header in which a serving pod names itself.
const POD_HEADER: &str = "x-pod-name";
/// Header in which a serving pod names its version.
const VERSION_HEADER: &str = "x-version";

/// What came back for one request.
#[derive(Debug, Default)]
pub struct Answer {
    headers_ns: Option<u64>,
    status: Option<u16>,
    error: Option<ClientError>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    pod_name: Option<String>,
    version: Option<String>,
    body_bytes: u64,
}

/// Reads status, headers and body.
pub async fn read_answer(response: Result<Response, reqwest::Error>) -> Answer {
    let mut response = match response {
        Ok(response) => response,
        Err(error) => return Answer { error: Some(classify(&error, Phase::Head)), ..Answer::default() },
    };
    let connection = response.extensions().get::<HttpInfo>();
    let mut answer = Answer {
        headers_ns: Some(monotonic_ns()),
        status: Some(response.status().as_u16()),
        local: connection.map(HttpInfo::local_addr),
        remote: connection.map(HttpInfo::remote_addr),
        pod_name: text(response.headers(), POD_HEADER),
        version: text(response.headers(), VERSION_HEADER),
        ..Answer::default()
    };
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => answer.body_bytes += bytes.len() as u64,
            Ok(None) => return answer,
            Err(error) => {
                answer.error = Some(classify(&error, Phase::Body));
                return answer;
            }
        }
    }
}

impl Answer {
    /// The engine itself failed before anything was sent.
    pub fn engine_error(error: &dyn Error) -> Self {
        let error = ClientError { kind: ClientErrorKind::Other, detail: format!("not sent: {error}") };
        Self { error: Some(error), ..Self::default() }
    }

    /// Same rule as [`ClientRequest::succeeded`].
    pub fn succeeded(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..400).contains(&status))
    }

    /// Moves what came back into the request's record.
    pub fn fill(self, record: &mut ClientRequest) {
        record.headers_ns = self.headers_ns;
        record.status = self.status;
        record.error = self.error;
        record.local = self.local;
        record.remote = self.remote;
        record.pod_name = self.pod_name;
        record.version = self.version;
        record.body_bytes = self.body_bytes;
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
