//! Gets one document from a running agent.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

const WITHIN: Duration = Duration::from_secs(15);
/// A status with histograms of hundreds of pods is a few MiB.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// `GET url`, as JSON.
pub async fn json<T: DeserializeOwned>(url: &str) -> Result<T> {
    let (status, body) =
        tokio::time::timeout(WITHIN, get(url)).await.with_context(|| format!("no answer from {url}"))??;
    if status != StatusCode::OK {
        bail!("{url} answers {status}: {}", String::from_utf8_lossy(&body).trim());
    }
    serde_json::from_slice(&body).with_context(|| format!("{url} gives no answer of an agent of this version"))
}

async fn get(url: &str) -> Result<(StatusCode, Bytes)> {
    let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL; write http://127.0.0.1:9414"))?;
    if uri.scheme_str() != Some("http") {
        bail!("`{url}` is no http:// URL; the agent speaks plain HTTP on the node's loopback address");
    }
    let host = uri.host().context("the URL has no host")?.trim_matches(['[', ']']).to_owned();
    let address = (host.as_str(), uri.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("no agent at {url}; start one with `observer run`, or name another with --url"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    let request = Request::get(path).header(header::HOST, host).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body =
        Limited::new(response.into_body(), BODY_MAX).collect().await.map_err(anyhow::Error::from_boxed)?.to_bytes();
    driver.abort();
    Ok((status, body))
}
