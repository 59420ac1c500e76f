//! Pods that are hard to tell from others, and requests that nobody numbered.

use std::{
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::{lab::NAMESPACE, run::capture, truth::node::PodProcess};

use crate::bench::Bench;

/// The pod shares the node's address, and its container is killed and comes back within the same pod: every answer is still
/// its own, by its cgroup, and what was lost in between has its cause.
pub fn host_network_and_a_restart_in_place(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-host-network")?;
    let (name, uid) = the_pod(bench)?;
    let run = thread::scope(|scope| {
        let run = scope.spawn(|| bench.experiment("host-network", &["steady", "--rate", "200", "--duration", "15s"]));
        sleep(Duration::from_secs(7));
        let killed = PodProcess::find(&uid, "inference").and_then(PodProcess::kill);
        let run = run.join().map_err(|_| anyhow::anyhow!("the run panicked"))??;
        killed.map(|()| run)
    })?;
    run.assert_closed()?;
    ensure!(run.failed()? > 0, "the killed container lost nothing");
    ensure!(run.failures().iter().all(|failure| failure["cause"] != "unknown"), "{}", run.report["ledger"]);
    let served = |record: &&Value| record["record"] == "connection" && record["hop"] == "pod";
    let sockets: Vec<&Value> = run.records.iter().filter(served).collect();
    ensure!(!sockets.is_empty(), "no connection at the pod");
    for socket in sockets {
        ensure!(socket["pod"]["name"] == name.as_str() && socket["pod_source"] == "cgroup", "{socket}");
    }
    let (_, after) = the_pod(bench)?;
    ensure!(after == uid, "it is another pod");
    Ok(())
}

/// Plain curl sends no trace id, and no run is open: each request counts for the pod that answered it all the same.
pub fn requests_without_a_trace_id(bench: &Bench) -> Result<()> {
    const REQUESTS: u64 = 60;
    bench.deploy("overlays/local-fast")?;
    let before = answered(bench)?;
    let url = format!("{}/predict?n=[1-{REQUESTS}]", bench.cluster.gateway_url());
    let mut curl = bench.cluster.client_command("curl");
    let heads = capture(curl.args(["--silent", "--fail", "--output", "/dev/null", "--dump-header", "-", &url]))?;
    let mut theirs: Vec<String> = Vec::new();
    for line in heads.lines() {
        if let Some((name, pod)) = line.split_once(':')
            && name.eq_ignore_ascii_case("x-pod-name")
        {
            theirs.push(format!("{NAMESPACE}/{}", pod.trim()));
        }
    }
    ensure!(theirs.len() as u64 == REQUESTS, "{} answers name their pod", theirs.len());
    let mut expected = before.clone();
    for pod in theirs {
        *expected.entry(pod).or_default() += 1;
    }
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let now = answered(bench)?;
        if now == expected {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the answers say {expected:?}, the agent {now:?}");
        sleep(Duration::from_millis(200));
    }
}

/// Answers of each pod so far, by the agent.
fn answered(bench: &Bench) -> Result<std::collections::BTreeMap<String, u64>> {
    let ask = ["--namespace=podwitness", "exec", "daemonset/observer", "--", "/observer", "status", "--output", "json"];
    let status: Value = serde_json::from_str(&bench.cluster.kubectl(&ask)?)?;
    let hops = status["hops"].as_array().context("no hops")?;
    let of_pods = hops.iter().filter(|hop| hop["hop"] == "pod" && hop["by_status"]["2xx"].is_u64());
    Ok(of_pods.filter_map(|hop| Some((hop["pod"].as_str()?.to_owned(), hop["by_status"]["2xx"].as_u64()?))).collect())
}

/// Name and uid of the only inference pod.
fn the_pod(bench: &Bench) -> Result<(String, String)> {
    let path = "--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let arguments = [&format!("--namespace={NAMESPACE}"), "get", "pods", "--selector=app=ml-inference", path];
    let text = bench.cluster.kubectl(&arguments)?;
    let mut pods = text.lines().filter_map(|line| line.split_once(' '));
    let (name, uid) = pods.next().context("no inference pod")?;
    ensure!(pods.next().is_none(), "more than one inference pod: {text}");
    Ok((name.to_owned(), uid.to_owned()))
}
