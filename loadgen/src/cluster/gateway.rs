//! Where the gateway is, and whether it answers.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Service};
use kube::api::ListParams;
use kube::{Api, Client};
use reqwest::Url;

use super::Target;
use super::connect::words;
use crate::load::client::{ClientSettings, builder};

/// No URL.
#[derive(Debug, thiserror::Error)]
#[error("{what}\n  fix: {fix}")]
pub struct GatewayError {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// The gateway's URL as given, with `path` where it has none of its own.
pub fn given(url: &str, path: &str) -> Result<Url, GatewayError> {
    let bad = |what: String| GatewayError { what, fix: "give it as http://HOST:PORT or http://HOST:PORT/PATH".into() };
    let mut url = Url::parse(url).map_err(|e| bad(format!("`{url}` is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad(format!("`{url}` is not an http or https URL")));
    }
    if url.path() == "/" {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        if query.is_some() {
            url.set_query(query);
        }
    }
    Ok(url)
}

/// The gateway Service's node port at a node's own address.
pub async fn discover(client: &Client, target: &Target, path: &str) -> Result<Url, GatewayError> {
    let name = &target.gateway_service;
    let by_hand = format!(
        "give the gateway's URL with --url (minikube: `minikube service -n {} {name} --url`)",
        target.namespace
    );
    let failed = |what: String| GatewayError { what, fix: by_hand.clone() };
    let services: Api<Service> = Api::namespaced(client.clone(), &target.namespace);
    let service = services.get(name).await.map_err(|e| failed(format!("cannot read service/{name}: {}", words(&e))))?;
    let ports = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let port = ports
        .iter()
        .find_map(|port| port.node_port)
        .ok_or_else(|| failed(format!("service/{name} has no node port, so it cannot be reached from outside")))?;
    let nodes = Api::<Node>::all(client.clone())
        .list(&ListParams::default())
        .await
        .map_err(|e| failed(format!("cannot list nodes: {}", words(&e))))?;
    let address = nodes
        .items
        .iter()
        .flat_map(|node| node.status.iter().flat_map(|status| status.addresses.iter().flatten()))
        .find(|address| address.type_ == "InternalIP")
        .ok_or_else(|| failed("no node tells an InternalIP".to_owned()))?;
    let host = if address.address.contains(':') { format!("[{}]", address.address) } else { address.address.clone() };
    given(&format!("http://{host}:{port}"), path)
}

/// The gateway Service's own address, for a client inside the cluster.
pub async fn discover_inside(client: &Client, target: &Target, path: &str) -> Result<Url, GatewayError> {
    let name = &target.gateway_service;
    let failed = |what: String| GatewayError { what, fix: "give the gateway's URL with --url".into() };
    let services: Api<Service> = Api::namespaced(client.clone(), &target.namespace);
    let service = services.get(name).await.map_err(|e| failed(format!("cannot read service/{name}: {}", words(&e))))?;
    let spec = service.spec.unwrap_or_default();
    let address = spec.cluster_ip.filter(|address| !address.is_empty() && address != "None");
    let address = address.ok_or_else(|| failed(format!("service/{name} has no cluster address")))?;
    let port = spec.ports.unwrap_or_default().first().map(|port| port.port);
    let port = port.ok_or_else(|| failed(format!("service/{name} has no port")))?;
    let host = if address.contains(':') { format!("[{address}]") } else { address };
    given(&format!("http://{host}:{port}"), path)
}

/// A URL on this machine is most likely a port-forward, which is bound to one pod and measures the API server too.
pub fn is_port_forward(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Waits for the first good answer.
pub async fn wait_for_answer(url: &Url, patience: Duration) -> Result<(), GatewayError> {
    let settings = ClientSettings {
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        keep_alive: false,
        tls: url.scheme() == "https",
    };
    let failed = |what: String| GatewayError {
        what: format!("the gateway does not answer at {url}: {what}"),
        fix: "see that its pods are ready; when the address cannot be reached from here, give another with --url"
            .into(),
    };
    let client = builder(settings).build().map_err(|e| failed(e.to_string()))?;
    let started = tokio::time::Instant::now();
    loop {
        let last = match client.get(url.clone()).send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => format!("status {}", response.status()),
            Err(error) => crate::load::classify::classify(&error, crate::load::classify::Phase::Head).detail,
        };
        if started.elapsed() > patience {
            return Err(failed(last));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_in_the_url_wins() {
        assert_eq!(given("http://10.0.0.1:30080", "/predict").unwrap().as_str(), "http://10.0.0.1:30080/predict");
        assert_eq!(given("http://10.0.0.1:30080/x?y=1", "/predict").unwrap().as_str(), "http://10.0.0.1:30080/x?y=1");
        assert_eq!(
            given("http://10.0.0.1:30080", "/predict?a=5").unwrap().as_str(),
            "http://10.0.0.1:30080/predict?a=5"
        );
        assert!(given("ftp://x", "/").is_err());
        assert!(given("10.0.0.1:30080", "/").is_err());
    }

    #[test]
    fn loopback_is_taken_for_a_port_forward() {
        for (url, yes) in [("http://127.0.0.1:8080", true), ("http://localhost", true), ("http://192.168.49.2", false)]
        {
            assert_eq!(is_port_forward(&url.parse().unwrap()), yes, "{url}");
        }
    }
}
