//! Two nodes that share a kernel: each agent tells of its own, and what they tell fits together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use anyhow::{Context as _, Result, ensure};
use podwitness_cluster::Node;
use serde_json::Value;

use crate::{
    bench::Bench,
    report::Run,
    witness::{Conntrack, assert_nginx_agrees, assert_same, cluster_ip, new_upstream_entries},
};

/// The programs of each agent are attached below its own node, so that neither sees the other's sockets.
pub fn agents_at_their_own_cgroups(bench: &Bench) -> Result<()> {
    for node in bench.cluster.nodes() {
        let selector = format!("--field-selector=spec.nodeName={}", node.name());
        let find = ["--namespace=podwitness", "get", "pods", &selector, "--output=jsonpath={.items[*].metadata.name}"];
        let pod = bench.cluster.kubectl(&find)?;
        let ask = ["--namespace=podwitness", "exec", pod.trim(), "--", "/observer", "status", "--output", "json"];
        let status: Value = serde_json::from_str(&bench.cluster.kubectl(&ask)?)?;
        let cgroup = status["cgroup"].as_str().context("the status names no cgroup")?;
        ensure!(cgroup.ends_with(&node.cgroup()), "the agent of {} is attached at {cgroup}", node.name());
        ensure!(status["node"] == node.name(), "it calls itself {}", status["node"]);
    }
    Ok(())
}

/// Gateway and pods on both nodes: each request is seen at both hops, once each, and by the node that it was at.
pub fn every_request_across_nodes(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-spread-no-hook")?;
    // nginx and the answers are the witnesses here: `conntrack -E` itself loses events at this rate when the machine is busy.
    let run = bench.experiment("two-nodes-steady", &["steady", "--rate", "500", "--duration", "30s"])?;
    holds_for_every_run(bench, &run)?;
    let sent = run.number("/ledger/sent")?;
    ensure!(sent == 15_000, "{sent} requests instead of 15,000");
    ensure!(run.failed()? == 0, "{} failed: {}", run.failed()?, run.report["ledger"]);
    for path in ["/completeness/requests_seen_at_gateway", "/completeness/requests_seen_at_pod"] {
        ensure!(run.number(path)? == sent, "{path} is {}, sent {sent}", run.number(path)?);
    }
    // By chance half of the requests change the node on their way.
    let crossed = crossings(&run);
    ensure!(crossed * 4 > sent, "only {crossed} of {sent} went from one node to the other");
    Ok(())
}

/// Pods go and come on both nodes, and every request that was lost has its pod and its cause.
pub fn rollout_as_assigned(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-spread")?;
    let run = watched(bench, "two-nodes-rollout", &["rollout", "--rate", "250", "--settle", "10s"])?;
    ensure!(run.failed()? > 0, "nothing failed: the hook that cannot work seems to work");
    run.assert_explained()
}

/// Runs it with conntrack of both nodes as a witness.
fn watched(bench: &Bench, name: &str, arguments: &[&str]) -> Result<Run> {
    let nodes = bench.cluster.nodes();
    let witnesses = nodes.iter().map(|node| Conntrack::start_on(bench, node, name)).collect::<Result<Vec<_>>>()?;
    let run = bench.experiment(name, arguments)?;
    let service = cluster_ip(bench, "ml-inference-service")?;
    let mut theirs: Vec<SocketAddr> = Vec::new();
    for witness in witnesses {
        theirs.extend(witness.stop(&service, "5000", run.started_s()?)?);
    }
    theirs.sort_unstable();
    assert_same(&new_upstream_entries(&run)?, &theirs)?;
    holds_for_every_run(bench, &run)?;
    Ok(run)
}

fn holds_for_every_run(bench: &Bench, run: &Run) -> Result<()> {
    run.assert_closed()?;
    assert_nginx_agrees(bench, run)?;
    both_nodes_watched(run, bench.cluster.nodes())?;
    seen_once_and_at_home(run)
}

/// Both nodes had a part in it, and an agent that kept all it saw.
fn both_nodes_watched(run: &Run, nodes: &[Node]) -> Result<()> {
    let seen = run.report["completeness"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(seen.len() == nodes.len(), "{} nodes in the report", seen.len());
    for (node, seen) in nodes.iter().zip(seen) {
        ensure!(seen["name"] == node.name() && seen["observer"] == true, "{seen}");
        for count in ["gateway_pods", "upstream_pods", "records"] {
            ensure!(seen[count].as_u64().is_some_and(|count| count > 0), "no {count} on {}: {seen}", node.name());
        }
        ensure!(seen["events_dropped"] == 0 && seen["clock_error_bound_ns"] == 0, "{seen}");
        ensure!(run.summary.contains(&format!("node {}: ", node.name())), "the summary is silent on {}", node.name());
    }
    Ok(())
}

/// No socket is told by two nodes, and the node that tells it is the one its pod runs on.
fn seen_once_and_at_home(run: &Run) -> Result<()> {
    let pods = run.report["pods"].as_array().map_or(&[][..], Vec::as_slice);
    let home: BTreeMap<&str, &Value> =
        pods.iter().filter_map(|pod| Some((pod["name"].as_str()?, &pod["node"]))).collect();
    let mut told_by: BTreeMap<u64, &Value> = BTreeMap::new();
    for record in &run.records {
        let Some(pod) = record["pod"]["name"].as_str() else { continue };
        ensure!(home.get(pod) == Some(&&record["node"]), "{} tells of {pod}, which runs elsewhere", record["node"]);
        // The kernel numbers sockets, and both nodes have the same kernel: a number that two nodes tell is one socket.
        if let Some(socket) = record["conn"].as_u64() {
            let other = told_by.insert(socket, &record["node"]);
            ensure!(other.is_none_or(|other| *other == record["node"]), "both nodes tell of one socket: {record}");
        }
    }
    Ok(())
}

/// Requests whose gateway pod and serving pod are on different nodes.
fn crossings(run: &Run) -> u64 {
    let mut nodes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in run.records.iter().filter(|record| record["record"] == "exchange") {
        if let (Some(trace), Some(node)) = (record["trace_id"].as_str(), record["node"].as_str()) {
            nodes.entry(trace).or_default().insert(node);
        }
    }
    nodes.values().filter(|nodes| nodes.len() > 1).count() as u64
}
