#![allow(clippy::unwrap_used)]
use super::state::ServicePort;
use super::*;

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

fn service(external: bool, ip: &str, port: u16, node_port: Option<u16>) -> ServiceState {
    ServiceState { external, cluster_ips: vec![ip.parse().unwrap()], ports: vec![ServicePort { port, node_port }] }
}

fn slice(of: &str, port: u16, uids: &[&str]) -> SliceState {
    SliceState { service: name(of), ports: vec![port], pod_uids: uids.iter().map(ToString::to_string).collect() }
}

/// The lab: a gateway behind a node port, an upstream behind a cluster address.
fn lab() -> Topology {
    let mut topology = Topology::default();
    topology.apply_service(name("lab/gateway"), service(true, "10.96.0.1", 80, Some(30080)));
    topology.apply_service(name("lab/echo"), service(false, "10.96.0.2", 5000, None));
    topology.apply_service(name("kube-system/dns"), service(false, "10.96.0.10", 53, None));
    topology.apply_slice("lab", "gateway-1", slice("lab/gateway", 8080, &["g1"]));
    topology.apply_slice("lab", "echo-1", slice("lab/echo", 5678, &["e1", "e2"]));
    topology
}

fn ports(topology: &Topology) -> Vec<u16> {
    topology.watched_ports(None, 64).0.into_iter().map(|watched| watched.port).collect()
}

#[test]
fn ports_of_services_endpoints_and_nodes_but_not_of_machinery() {
    assert_eq!(ports(&lab()), [80, 5000, 5678, 8080, 30080]);
}

#[test]
fn parts_follow_the_kind_of_service_when_nobody_names_them() {
    let topology = lab();
    assert_eq!(topology.role("g1", None), Role::Gateway);
    assert_eq!(topology.role("e1", None), Role::Upstream);
    assert_eq!(topology.role("stranger", None), Role::None);
}

#[test]
fn a_run_overrules_the_kind_of_service() {
    let topology = lab();
    let run = Parts { gateway: Some(name("lab/echo")), upstream: Some(name("lab/other")) };
    assert_eq!(topology.role("e1", Some(&run)), Role::Gateway);
    assert_eq!(topology.role("g1", Some(&run)), Role::None);
}

#[test]
fn a_pod_keeps_its_part_after_its_slice_is_gone() {
    let mut topology = lab();
    topology.apply_slice("lab", "echo-1", slice("lab/echo", 5678, &["e2"]));
    assert_eq!(topology.role("e1", None), Role::Upstream);
    topology.delete_slice("lab", "echo-1");
    assert_eq!(topology.role("e2", None), Role::Upstream);
    topology.forget(&[Arc::from("e2")]);
    assert_eq!(topology.role("e2", None), Role::None);
}

#[test]
fn the_way_to_the_upstream_is_its_service_or_a_pod_of_it() {
    let topology = lab();
    assert!(topology.leads_upstream("10.96.0.2:5000".parse().unwrap(), None, None));
    assert!(topology.leads_upstream("10.244.0.9:5678".parse().unwrap(), Some("e1"), None));
    assert!(!topology.leads_upstream("10.244.0.9:5678".parse().unwrap(), None, None));
    assert!(!topology.leads_upstream("10.96.0.10:53".parse().unwrap(), None, None));
}

/// Two versions, each behind a Service of its own, are the upstream still; a Service with other pods beside them is not.
#[test]
fn a_service_for_some_of_the_upstreams_pods_leads_there_too() {
    let mut topology = lab();
    let run = Parts { gateway: Some(name("lab/gateway")), upstream: Some(name("lab/echo")) };
    for (service_name, ip, pods) in [
        ("canary", "10.96.0.3", &["e2"][..]),
        ("other", "10.96.0.4", &["x"]),
        ("mixed", "10.96.0.5", &["e1", "x"]),
        ("empty", "10.96.0.6", &[]),
    ] {
        topology.apply_service(name(&format!("lab/{service_name}")), service(false, ip, 5000, None));
        topology.apply_slice("lab", service_name, slice(&format!("lab/{service_name}"), 5678, pods));
    }
    let leads = |ip: &str| topology.leads_upstream(format!("{ip}:5000").parse().unwrap(), None, Some(&run));
    assert_eq!(["10.96.0.3", "10.96.0.4", "10.96.0.5", "10.96.0.6"].map(leads), [true, false, false, false]);
}

#[test]
fn the_gateway_is_dialled_at_its_cluster_address_or_at_its_node_port() {
    let topology = lab();
    assert!(topology.is_gateway_address("192.168.49.2:30080".parse().unwrap(), None));
    assert!(topology.is_gateway_address("10.96.0.1:80".parse().unwrap(), None));
    assert!(!topology.is_gateway_address("10.96.0.2:5000".parse().unwrap(), None));
}

#[test]
fn a_run_adds_its_services_and_named_ports_are_the_last_to_be_left_out() {
    let mut topology = Topology::new(Wanted { namespaces: vec!["none".into()], ports: vec![9999] }, Parts::default());
    topology.apply_service(name("lab/gateway"), service(true, "10.96.0.1", 80, Some(30080)));
    assert_eq!(ports(&topology), [9999]);
    let run = Parts { gateway: Some(name("lab/gateway")), upstream: None };
    let (kept, left_out) = topology.watched_ports(Some(&run), 2);
    assert_eq!(kept.iter().map(|watched| watched.port).collect::<Vec<_>>(), [80, 9999]);
    assert_eq!(left_out, 1);
}

#[test]
fn names_need_both_halves() {
    for text in ["gateway", "/gateway", "lab/", "a/b/c"] {
        assert!(text.parse::<ServiceName>().is_err(), "{text}");
    }
}
