//! Endpoints of a Service: all its slices together, since a Service may have several.

use std::collections::BTreeMap;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;

use super::Lens;
use crate::raw::{Endpoint, Subject};

/// Endpoints by Service and slice.
#[derive(Default)]
pub struct Endpoints {
    slices: BTreeMap<String, BTreeMap<String, Vec<Endpoint>>>,
}

impl Lens for Endpoints {
    type Object = EndpointSlice;
    const NAME: &'static str = "endpoint_slices";

    fn applied(&mut self, slice: &EndpointSlice, _listed: bool) -> Option<Subject> {
        let service = service(slice)?;
        self.slices.entry(service.clone()).or_default().insert(slice.name_any(), endpoints(slice));
        Some(self.merged(service))
    }

    fn deleted(&mut self, slice: &EndpointSlice) -> Option<Subject> {
        let service = service(slice)?;
        self.slices.entry(service.clone()).or_default().remove(&slice.name_any());
        Some(self.merged(service))
    }
}

impl Endpoints {
    fn merged(&self, service: String) -> Subject {
        let mut endpoints: Vec<Endpoint> =
            self.slices.get(&service).into_iter().flat_map(BTreeMap::values).flatten().cloned().collect();
        endpoints.sort_by_key(|endpoint| endpoint.ip);
        Subject::Endpoints { service, endpoints }
    }
}

fn service(slice: &EndpointSlice) -> Option<String> {
    slice.labels().get("kubernetes.io/service-name").cloned()
}

fn endpoints(slice: &EndpointSlice) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for endpoint in &slice.endpoints {
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
        // "A nil value should be interpreted as true", says the API of both; of `terminating`, as false.
        let ready = conditions.ready.unwrap_or(true);
        for ip in endpoint.addresses.iter().filter_map(|address| address.parse().ok()) {
            all.push(Endpoint {
                ip,
                pod: target.and_then(|target| target.name.clone()),
                uid: target.and_then(|target| target.uid.clone()),
                ready,
                serving: conditions.serving.unwrap_or(true),
                terminating: conditions.terminating.unwrap_or(false),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn slice(name: &str, ips: &[&str]) -> EndpointSlice {
        let endpoints: Vec<_> = ips.iter().map(|ip| serde_json::json!({"addresses": [ip]})).collect();
        serde_json::from_value(serde_json::json!({
            "addressType": "IPv4",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "svc"}},
            "endpoints": endpoints,
        }))
        .unwrap()
    }

    fn ips(subject: Option<Subject>) -> Vec<String> {
        let Some(Subject::Endpoints { endpoints, .. }) = subject else { panic!("no endpoints: {subject:?}") };
        endpoints.iter().map(|endpoint| endpoint.ip.to_string()).collect()
    }

    #[test]
    fn slices_of_one_service_are_one_state() {
        let mut lens = Endpoints::default();
        assert_eq!(ips(lens.applied(&slice("a", &["10.0.0.2"]), true)), ["10.0.0.2"]);
        assert_eq!(ips(lens.applied(&slice("b", &["10.0.0.1"]), false)), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(ips(lens.applied(&slice("a", &[]), false)), ["10.0.0.1"]);
        assert!(ips(lens.deleted(&slice("b", &[]))).is_empty());
    }

    #[test]
    fn conditions_that_are_not_told_have_the_apis_meaning() {
        let mut lens = Endpoints::default();
        let Some(Subject::Endpoints { endpoints, .. }) = lens.applied(&slice("a", &["10.0.0.2"]), true) else {
            panic!("no endpoints")
        };
        assert!(endpoints[0].ready && endpoints[0].serving && !endpoints[0].terminating);
    }
}
