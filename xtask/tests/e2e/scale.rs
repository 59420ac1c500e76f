//! The number of pods changes, by hand and by an autoscaler: the report's pods are the API's, its decisions the controller's.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::{bench::Bench, report::Run};

/// Two pods more and two pods fewer: each new pod is followed to its first success, and gets its share.
pub fn by_hand(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-no-hook")?;
    let run = bench.experiment("scale", &["scale", "--to", "5", "--rate", "250", "--hold", "8s", "--settle", "5s"])?;
    run.assert_closed()?;
    run.assert_explained()?;
    let changes: Vec<_> = changes(&run).iter().map(|change| (number(change, "from"), number(change, "to"))).collect();
    ensure!(changes == [(3, 5), (5, 3)], "changes: {changes:?}");
    // The answers themselves name their pods: those that were not there in the first second are new.
    let started_ns = run.number("/run/started_ns")?;
    let named = |early: bool| -> BTreeSet<String> {
        let when = |request: &&Value| {
            request["sent_ns"].as_u64().is_some_and(|sent_ns| (sent_ns < started_ns + 1_000_000_000) == early)
        };
        run.client.iter().filter(when).filter_map(|request| Some(request["pod_name"].as_str()?.to_owned())).collect()
    };
    let answered: BTreeSet<String> = named(false).difference(&named(true)).cloned().collect();
    let new = new_pods(&run);
    ensure!(names(&new) == answered, "the report has {:?}, answers came from {answered:?}", names(&new));
    for pod in new {
        assert_in_order(pod)?;
        let ratio = |name: &str| pod[name].as_f64().with_context(|| format!("no {name}: {pod}"));
        let (share, fair) = (ratio("share_ratio")?, ratio("fair_share_ratio")?);
        ensure!((share - fair).abs() < 0.06, "{} got {share} where {fair} is even", pod["pod"]);
    }
    let replicas = jsonpath(bench, "deployment/ml-inference", "{.spec.replicas}")?;
    ensure!(replicas == "3", "{replicas} replicas are left");
    Ok(())
}

/// The load rises, the autoscaler adds pods; each of its syncs is what the formula gives, and the API tells of the same
/// decisions and the same pods.
pub fn by_autoscaler(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-hpa")?;
    let result = hpa(bench);
    // The autoscalers would fight with every later test.
    kubectl(bench, &["delete", "hpa", "--all"])?;
    kubectl(bench, &["delete", "deployment,service", "php-apache"])?;
    result
}

fn hpa(bench: &Bench) -> Result<()> {
    let pods_before = created_pods(bench)?;
    let run = bench.experiment("hpa", &["hpa", "--steps", "5:10s,40:50s", "--path", "/predict?burn_ms=5"])?;
    run.assert_closed()?;
    let ups: Vec<_> = changes(&run).iter().filter(|change| number(change, "to") > number(change, "from")).collect();
    ensure!(!ups.is_empty(), "the autoscaler added nothing: {}", run.report["scaling"]["autoscalers"]);
    for change in &ups {
        ensure!(change["by"] == "autoscaler", "not by the autoscaler: {change}");
    }
    let step = |name: &str| {
        let steps = ups[0]["steps"].as_array().map_or(&[][..], Vec::as_slice);
        steps.iter().find(|step| step["step"] == name).and_then(|step| step["after_ms"].as_f64())
    };
    for name in ["metric_above_target", "decision", "pods_ready", "first_connection", "first_success"] {
        ensure!(step(name).is_some(), "{name} was not measured: {}", ups[0]);
    }
    ensure!(step("metric_above_target") < step("first_success"), "effects before causes: {}", ups[0]);

    let (mut compared, mut disagreed) = (0, 0);
    for autoscaler in run.report["scaling"]["autoscalers"].as_array().map_or(&[][..], Vec::as_slice) {
        compared += number(&autoscaler["agreement"], "compared");
        disagreed += number(&autoscaler["agreement"], "disagreed");
    }
    ensure!(compared > 0, "no sync was compared: {}", run.report["scaling"]["autoscalers"]);
    ensure!(disagreed == 0, "formula and controller disagree: {}", run.report["scaling"]["autoscalers"]);

    let created: BTreeSet<String> = created_pods(bench)?.difference(&pods_before).cloned().collect();
    ensure!(names(&new_pods(&run)).is_subset(&created), "{:?} against {created:?}", names(&new_pods(&run)));
    let decided = decided_sizes(bench)?;
    for change in &ups {
        let said = format!("New size: {};", number(change, "to"));
        ensure!(decided.iter().any(|message| message.starts_with(&said)), "no event says `{said}`: {decided:?}");
    }
    for question in ["Q9.1", "Q9.2", "Q9.3", "Q9.4"] {
        let verdicts = run.report["verdicts"].as_array().map_or(&[][..], Vec::as_slice);
        ensure!(
            verdicts.iter().any(|v| v["question"] == question && v["claim"].is_string()),
            "no answer to {question}"
        );
    }
    Ok(())
}

fn changes(run: &Run) -> &[Value] {
    run.report["scaling"]["changes"].as_array().map_or(&[], Vec::as_slice)
}

fn new_pods(run: &Run) -> Vec<&Value> {
    run.report["scaling"]["new_pods"].as_array().into_iter().flatten().collect()
}

fn names(pods: &[&Value]) -> BTreeSet<String> {
    pods.iter().filter_map(|pod| pod["pod"].as_str()).map(str::to_owned).collect()
}

fn number(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or(-1)
}

/// Every step is known, and none lies before the one that brings it about.
fn assert_in_order(pod: &Value) -> Result<()> {
    let at = |name: &str| {
        let steps = pod["steps"].as_array().map_or(&[][..], Vec::as_slice);
        let step = steps.iter().find(|step| step["step"] == name).and_then(|step| step["at_ns"].as_u64());
        step.with_context(|| format!("{name} was not measured: {pod}"))
    };
    ensure!(at("requested")? < at("created")? && at("created")? <= at("scheduled")?, "out of order: {pod}");
    ensure!(at("scheduled")? <= at("ready")?, "out of order: {pod}");
    ensure!(at("first_connection")? < at("first_success")?, "out of order: {pod}");
    at("endpoint_added").map(drop)
}

fn kubectl(bench: &Bench, arguments: &[&str]) -> Result<String> {
    let namespace = format!("--namespace={NAMESPACE}");
    Ok(bench.cluster.kubectl(&[&[namespace.as_str()], arguments].concat())?)
}

fn jsonpath(bench: &Bench, object: &str, path: &str) -> Result<String> {
    kubectl(bench, &["get", object, "-o", &format!("jsonpath={path}")])
}

/// Messages of events with that reason, which the API keeps for an hour.
fn messages(bench: &Bench, reason: &str, prefix: &str) -> Result<BTreeSet<String>> {
    let selector = format!("--field-selector=reason={reason}");
    let path = "jsonpath={range .items[*]}{.message}{\"\\n\"}{end}";
    let text = kubectl(bench, &["get", "events", &selector, "-o", path])?;
    Ok(text.lines().filter_map(|message| message.strip_prefix(prefix)).map(str::to_owned).collect())
}

/// Pods that the `ReplicaSet`s of the serving Deployment say they have created.
fn created_pods(bench: &Bench) -> Result<BTreeSet<String>> {
    let all = messages(bench, "SuccessfulCreate", "Created pod: ")?;
    Ok(all.into_iter().filter(|pod| pod.starts_with("ml-inference-")).collect())
}

/// What the autoscalers' events say of their decisions.
fn decided_sizes(bench: &Bench) -> Result<BTreeSet<String>> {
    messages(bench, "SuccessfulRescale", "")
}
