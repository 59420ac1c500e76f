//! The cluster's own name server, asked over TCP: through the API server's port-forward where it is a pod, else at the
//! endpoint's address.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::message::{answer, question};
use crate::cluster::Cluster;
use crate::cluster::connect::words;
use crate::verify::facts::{DnsLook, Lookup};

const NAMESPACE: &str = "kube-system";
/// `CoreDNS` and its predecessor both stand behind this name.
const SERVICE: &str = "kube-dns";
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for each name.
pub async fn ask(cluster: &Cluster, names: &[String], look: &mut DnsLook) {
    let asked = tokio::time::timeout(PATIENCE * 2, ask_server(cluster, names, look)).await;
    if let Err(problem) = asked.unwrap_or_else(|_| Err("the name server does not answer".to_owned())) {
        look.problem = Some(problem);
    }
}

async fn ask_server(cluster: &Cluster, names: &[String], look: &mut DnsLook) -> Result<(), String> {
    let api: Api<EndpointSlice> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let label = format!("kubernetes.io/service-name={SERVICE}");
    let slices = api.list(&ListParams::default().labels(&label)).await;
    let slices = slices.map_err(|e| format!("cannot find the name server: {}", words(&e)))?.items;
    let (endpoint, port) = slices
        .into_iter()
        .find_map(|slice| {
            let tcp = |port: &&k8s_openapi::api::discovery::v1::EndpointPort| port.protocol.as_deref() == Some("TCP");
            let ports = slice.ports.unwrap_or_default();
            // The metrics' port is TCP as well.
            let dns = ports.iter().filter(tcp).find(|port| port.name.as_deref().is_some_and(|n| n.contains("dns")))?;
            let port = u16::try_from(dns.port?).ok()?;
            let ready = slice
                .endpoints
                .into_iter()
                .find(|end| end.conditions.as_ref().is_none_or(|c| c.ready != Some(false)))?;
            Some((ready, port))
        })
        .ok_or_else(|| format!("service/{SERVICE} in {NAMESPACE} has no endpoint for DNS over TCP"))?;
    if let Some(pod) = endpoint.target_ref.filter(|target| target.kind.as_deref() == Some("Pod")).and_then(|t| t.name) {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), NAMESPACE);
        let forward = pods.portforward(&pod, &[port]).await;
        let mut forward = forward.map_err(|e| format!("cannot forward a port to pod/{pod}: {}", words(&e)))?;
        let stream = forward.take_stream(port).ok_or_else(|| format!("no stream to pod/{pod}"))?;
        look.server = Some(format!("pod/{pod} in {NAMESPACE}, through the API server"));
        let result = talk(stream, names, look).await;
        forward.abort();
        return result;
    }
    let address = endpoint.addresses.first().cloned().unwrap_or_default();
    let stream = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect((address.as_str(), port))).await;
    let stream = stream.map_err(|_| format!("the name server at {address} does not answer"))?;
    let stream = stream.map_err(|e| format!("cannot reach the name server at {address}: {e}"))?;
    look.server = Some(format!("{address}, directly"));
    talk(stream, names, look).await
}

/// Each message has its length before it (RFC 1035, 4.2.2).
async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    names: &[String],
    look: &mut DnsLook,
) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("the name server broke off: {e}");
    for (id, name) in names.iter().enumerate() {
        let id = id as u16;
        let message = question(id, name).ok_or_else(|| format!("`{name}` is no DNS name"))?;
        let length = (message.len() as u16).to_be_bytes();
        stream.write_all(&[&length, message.as_slice()].concat()).await.map_err(failed)?;
        stream.flush().await.map_err(failed)?;
        let length = stream.read_u16().await.map_err(failed)?;
        let mut message = vec![0; usize::from(length)];
        stream.read_exact(&mut message).await.map_err(failed)?;
        let (code, addresses) = answer(id, &message).ok_or("the name server's answer is not understood")?;
        look.lookups.push(Lookup { name: name.clone(), code, addresses });
    }
    Ok(())
}
