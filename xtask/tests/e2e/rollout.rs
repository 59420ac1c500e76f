//! Rolling updates and pod deletions: failures are explained where there are any, and there are none where there must be none.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    bench::Bench,
    capture::Capture,
    report::Run,
    witness::{Conntrack, assert_nginx_agrees, assert_same, cluster_ip, new_upstream_entries},
};

const RATE: [&str; 2] = ["--rate", "250"];
/// Where there is nothing to come late.
const SETTLE: [&str; 2] = ["--settle", "5s"];
const ROLLOUT: &[&str] = &["rollout"];
const DELETIONS: &[&str] = &["pod-delete", "--repeat", "3", "--every", "ready"];

/// The hook of the assignment fails in an image without a shell; each lost request is explained, and three witnesses
/// tell the same.
pub fn as_assigned(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let run = watched(bench, "rollout-as-assigned", ROLLOUT)?;
    ensure!(run.failed()? > 0, "nothing failed: the hook that cannot work seems to work");
    run.assert_explained()?;
    ensure!(run.has_timeline("FailedPreStopHook"), "the failed hook is not in the time line");
    each_request_is_told(bench, "rollout-as-assigned", &run)
}

/// `loadgen requests`: each request once, those that succeeded with the pod that the answer names, and with its whole way.
fn each_request_is_told(bench: &Bench, name: &str, run: &Run) -> Result<()> {
    let folder = bench.written(name);
    let output = bench.loadgen_output(&["requests", &folder.to_string_lossy(), "-o", "ndjson"])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    ensure!(told.len() == run.client.len(), "{} requests are told of {}", told.len(), run.client.len());
    let mut sent: Vec<&Value> = run.client.iter().collect();
    sent.sort_by_key(|sent| sent["seq"].as_u64());
    for (told, sent) in told.iter().zip(sent) {
        ensure!(told["seq"] == sent["seq"] && told["trace_id"] == sent["trace_id"], "{told} is not {sent}");
        if told["succeeded"] == true {
            ensure!(told["pod"].is_string() && told["pod"] == sent["pod_name"], "another pod: {told} and {sent}");
            let parts = told["parts"].as_array().map_or(&[][..], Vec::as_slice);
            let sum_ns: u64 = parts.iter().filter_map(|part| part["duration_ns"].as_u64()).sum();
            let took_us = told["latency_us"].as_f64().unwrap_or_default();
            ensure!((sum_ns as f64 / 1e3 - took_us).abs() < 0.001, "the parts are {sum_ns} ns of {took_us} µs: {told}");
        } else {
            ensure!(told["cause"].is_string() && told["evidence"].as_array().is_some_and(|it| it.len() > 1), "{told}");
        }
    }
    Ok(())
}

/// A sleep in the kubelet itself covers the time until the rules have followed.
pub fn with_sleep(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-prestop-sleep")?;
    nothing_lost(&watched(bench, "rollout-sleep", &[ROLLOUT, &SETTLE].concat())?)
}

/// The same when the gateway keeps its connections.
pub fn with_sleep_and_keepalive(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-keepalive-prestop-sleep")?;
    nothing_lost(&watched(bench, "rollout-sleep-keepalive", &[ROLLOUT, &SETTLE].concat())?)
}

/// Three pods are deleted, each when the one before is replaced: kube-proxy has just taken in the new pod then, and
/// waits before it takes out the next. (A single deletion finds it idle and often loses nothing.)
pub fn pod_delete(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let run = watched(bench, "pod-delete-as-assigned", DELETIONS)?;
    ensure!(run.failed()? > 0, "nothing failed: the hook that cannot work seems to work");
    run.assert_explained()?;
    ensure!(run.has_timeline("FailedPreStopHook"), "the failed hook is not in the time line");
    Ok(())
}

/// The same with a hook that works.
pub fn pod_delete_with_sleep(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-prestop-sleep")?;
    nothing_lost(&watched(bench, "pod-delete-sleep", &[DELETIONS, &SETTLE].concat())?)
}

fn nothing_lost(run: &Run) -> Result<()> {
    ensure!(run.failed()? == 0, "{} failed: {}", run.failed()?, run.report["ledger"]["by_cause"]);
    ensure!(!run.has_timeline("FailedPreStopHook"), "a hook failed that should have worked");
    Ok(())
}

/// Runs it with all witnesses listening.
fn watched(bench: &Bench, name: &str, experiment: &[&str]) -> Result<Run> {
    let conntrack = Conntrack::start(bench, name)?;
    let capture = Capture::start(bench, name, "5000")?;
    let run = bench.experiment(name, &[experiment, &RATE[..]].concat())?;
    let service = cluster_ip(bench, "ml-inference-service")?;
    let theirs = conntrack.stop(&service, "5000", run.started_s()?)?;
    run.assert_closed()?;
    assert_nginx_agrees(bench, &run)?;
    assert_same(&new_upstream_entries(&run)?, &theirs)?;
    capture.assert_agrees(&run, service.parse()?)?;
    Ok(run)
}
