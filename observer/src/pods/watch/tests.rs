#![allow(clippy::unwrap_used)]
use std::sync::Mutex;

use futures::stream;
use serde_json::json;

use super::*;

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"namespace": "lab", "name": "web-1", "uid": "u1"},
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": "10.244.0.7", "podIPs": [{"ip": "10.244.0.7"}, {"ip": "fd00::7"}]},
    }))
    .unwrap()
}

#[test]
fn a_pod_with_two_addresses_has_each_once() {
    let Some(Change::Pod(state)) = pod().applied() else { panic!("a pod") };
    assert_eq!(state.ips, ["10.244.0.7".parse::<std::net::IpAddr>().unwrap(), "fd00::7".parse().unwrap()]);
    assert!(!state.finished && !state.host_network);
}

#[test]
fn a_service_keeps_its_tcp_ports() {
    let service: Service = serde_json::from_value(json!({
        "metadata": {"namespace": "lab", "name": "gateway"},
        "spec": {
            "type": "NodePort", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
            "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
        },
    }))
    .unwrap();
    let Some(Change::Service(name, state)) = service.applied() else { panic!("a Service") };
    assert_eq!(name.to_string(), "lab/gateway");
    assert!(state.external);
    assert_eq!(state.addresses().collect::<Vec<_>>(), ["10.96.0.1:80".parse().unwrap()]);
    assert_eq!(state.ports.iter().map(|port| port.node_port).collect::<Vec<_>>(), [Some(30080)]);
}

#[test]
fn a_slice_names_its_pods_and_their_port() {
    let slice: EndpointSlice = serde_json::from_value(json!({
        "metadata": {"namespace": "lab", "name": "echo-x", "labels": {"kubernetes.io/service-name": "echo"}},
        "addressType": "IPv4",
        "ports": [{"port": 5678, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["10.244.0.7"], "targetRef": {"kind": "Pod", "uid": "u1"}},
            {"addresses": ["10.244.0.8"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "uid": "u2"}},
            {"addresses": ["192.0.2.1"]},
        ],
    }))
    .unwrap();
    let Some(Change::Slice(_, state)) = slice.applied() else { panic!("a slice") };
    assert_eq!((state.ports, state.pod_uids), (vec![5678], vec!["u1".into(), "u2".into()]));
}

#[tokio::test]
async fn a_list_an_error_and_a_deletion_are_reported_in_order() {
    let events: Vec<watcher::Result<watcher::Event<Pod>>> = vec![
        Ok(watcher::Event::Init),
        Ok(watcher::Event::InitApply(pod())),
        Ok(watcher::Event::InitDone),
        Err(watcher::Error::NoResourceVersion),
        Ok(watcher::Event::Delete(pod())),
    ];
    let seen = Mutex::new(Vec::new());
    follow_events(stream::iter(events), |report| {
        seen.lock().unwrap().push(match report {
            Report::Health { problem, .. } => problem.map_or("works", |_| "fails").to_owned(),
            Report::Changed { change: Change::Pod(_), .. } => "pod".into(),
            Report::Changed { change: Change::PodsListed(uids), .. } => format!("listed {}", uids.len()),
            Report::Changed { change: Change::PodGone(uid), .. } => format!("gone {uid}"),
            Report::Changed { .. } => "other".into(),
        });
        true
    })
    .await;
    assert_eq!(seen.into_inner().unwrap(), ["works", "pod", "listed 1", "fails", "works", "gone u1"]);
}
