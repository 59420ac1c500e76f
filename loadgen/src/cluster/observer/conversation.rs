//! HTTP/1.1 over a forwarded port.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::api::Portforwarder;
use observer::api::{Problem, RecordsEnd};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::DuplexStream;

use super::error::ObserverError;
use super::find::Agent;
use crate::raw::write::NdjsonWriter;

/// An agent that has not answered for this long will not.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to one agent.
pub struct Conversation {
    agent: Agent,
    sender: SendRequest<Full<Bytes>>,
    forwarder: Portforwarder,
    driver: tokio::task::JoinHandle<()>,
    refused: Option<BoxFuture<'static, Option<String>>>,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.driver.abort();
        self.forwarder.abort();
    }
}

impl Conversation {
    pub(super) async fn start(
        agent: Agent,
        stream: DuplexStream,
        forwarder: Portforwarder,
        refused: Option<impl Future<Output = Option<String>> + Send + 'static>,
    ) -> Result<Self, ObserverError> {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| agent.unreachable(error.to_string()))?;
        let driver = tokio::spawn(async move {
            // Its error is the error of the request that was under way, where it is told.
            let _ = connection.await;
        });
        Ok(Self { agent, sender, forwarder, driver, refused: refused.map(FutureExt::boxed) })
    }

    /// Asks for a value.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ObserverError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        self.value(response).await
    }

    /// Sends a value, gets a value.
    pub async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, ObserverError> {
        let body = serde_json::to_vec(body).map_err(|error| self.strange(error.to_string()))?;
        let response = self.send(Method::POST, path, body.into()).await?;
        self.value(response).await
    }

    /// Tells something, without wanting to know more than whether it was heard.
    pub async fn tell(&mut self, path: &str) -> Result<(), ObserverError> {
        let response = self.send(Method::POST, path, Bytes::new()).await?;
        self.checked(response).await.map(drop)
    }

    /// Asks without wanting to know more than whether it worked.
    pub async fn delete(&mut self, path: &str) -> Result<(), ObserverError> {
        let response = self.send(Method::DELETE, path, Bytes::new()).await?;
        self.checked(response).await.map(drop)
    }

    /// Health: `Ok` or the agent's own reason.
    pub async fn health(&mut self) -> Result<(), ObserverError> {
        let response = self.send(Method::GET, "/healthz", Bytes::new()).await?;
        let status = response.status();
        let text = self.text(response).await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(self.agent.unreachable(format!("it is not healthy: {}", text.trim())))
        }
    }

    /// Writes an NDJSON answer to a file as it comes, and returns its last line when that is the agent's own count.
    pub async fn records(&mut self, path: &str, file: &mut NdjsonWriter) -> Result<Option<RecordsEnd>, ObserverError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        let mut body = self.checked(response).await?.into_body();
        let mut last = Vec::new();
        loop {
            let Ok(frame) = tokio::time::timeout(PATIENCE, body.frame()).await else {
                return Err(self.agent.unreachable("the records stopped coming".into()));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| self.agent.unreachable(error.to_string()))?;
            if let Some(bytes) = frame.data_ref() {
                file.write_raw(bytes)?;
                keep_last_line(&mut last, bytes);
            }
        }
        Ok(serde_json::from_slice::<RecordsEnd>(&last).ok().filter(|end| end.record == "end"))
    }

    /// Reads an NDJSON answer line by line, as it comes.
    pub async fn each_line(&mut self, path: &str, mut take: impl AsyncFnMut(&[u8])) -> Result<(), ObserverError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        let mut body = self.checked(response).await?.into_body();
        let mut open: Vec<u8> = Vec::new();
        loop {
            let Ok(frame) = tokio::time::timeout(PATIENCE, body.frame()).await else {
                return Err(self.agent.unreachable("the lines stopped coming".into()));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| self.agent.unreachable(error.to_string()))?;
            let Some(bytes) = frame.data_ref() else { continue };
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                open.extend_from_slice(piece);
                if open.ends_with(b"\n") {
                    take(&open).await;
                    open.clear();
                }
            }
        }
        if !open.is_empty() {
            take(&open).await;
        }
        Ok(())
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ObserverError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "observer")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| self.strange(error.to_string()))?;
        // A connection takes its next request only once the answer before has been read to its end. Where the other side
        // has closed it instead, a new one is as good.
        if self.sender.ready().await.is_err() {
            *self = self.agent.clone().open().await?;
        }
        match tokio::time::timeout(PATIENCE, self.sender.send_request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                // The kubelet tells the reason on a channel of its own ("connection refused").
                let refused = self.refused.take().and_then(|refused| refused.now_or_never().flatten());
                Err(self.agent.unreachable(refused.unwrap_or_else(|| error.to_string())))
            }
            Err(_) => Err(self.agent.unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn value<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, ObserverError> {
        let response = self.checked(response).await?;
        let text = self.text(response).await?;
        serde_json::from_str(&text).map_err(|error| self.strange(format!("something that is not understood: {error}")))
    }

    async fn checked(&self, response: Response<Incoming>) -> Result<Response<Incoming>, ObserverError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = self.text(response).await?;
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(ObserverError::Refused { who: self.agent.who(), problem }),
            Err(_) => Err(self.strange(refusal(status, &text))),
        }
    }

    async fn text(&self, response: Response<Incoming>) -> Result<String, ObserverError> {
        let collected = tokio::time::timeout(PATIENCE, response.into_body().collect()).await;
        match collected {
            Ok(Ok(body)) => Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned()),
            Ok(Err(error)) => Err(self.agent.unreachable(error.to_string())),
            Err(_) => Err(self.agent.unreachable("the answer stopped coming".into())),
        }
    }

    fn strange(&self, what: String) -> ObserverError {
        ObserverError::Strange { who: self.agent.who(), what }
    }
}

fn refusal(status: StatusCode, text: &str) -> String {
    format!("{status}: {}", text.trim().chars().take(200).collect::<String>())
}

/// Keeps the last whole or open line of a stream of chunks.
fn keep_last_line(last: &mut Vec<u8>, bytes: &[u8]) {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if last.last() == Some(&b'\n') {
        last.clear();
    }
    if let Some(at) = body.iter().rposition(|&byte| byte == b'\n') {
        last.clear();
        last.extend_from_slice(&body[at + 1..]);
    } else {
        last.extend_from_slice(body);
    }
    if bytes.ends_with(b"\n") {
        last.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_survives_any_cut() {
        let text = b"{\"a\":1}\n{\"b\":22}\n{\"record\":\"end\",\"records\":2,\"loss\":{}}\n";
        for size in 1..=text.len() {
            let mut last = Vec::new();
            for chunk in text.chunks(size) {
                keep_last_line(&mut last, chunk);
            }
            let end: Option<RecordsEnd> = serde_json::from_slice(&last).ok();
            assert_eq!(end.map(|end| end.records), Some(2), "chunks of {size}");
        }
    }
}
