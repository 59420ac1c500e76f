//! Updates in all their forms: a fix that is proved and put back, two rollouts at once, a canary, and the way back.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::{
    bench::Bench,
    report::Run,
    witness::{Conntrack, assert_same, cluster_ip, new_upstream_entries},
};

const STABLE: &str = "ml-inference";
const CANARY: &str = "ml-inference-canary";

/// The assignment's hook fails and loses requests; the change that follows from the evidence loses none; afterwards the
/// Deployment is as it was.
pub fn prove_fix(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    // Two minutes is the kernel's default, and what it means is told in the unit tests.
    let life = syn_sent_timeout(bench, "20")?;
    let proved = prove(bench, "prove-fix-rollout", "rollout", &[STABLE]);
    syn_sent_timeout(bench, &life)?;
    let (proof, text) = proved?;
    let patch = &proof["changes"][0]["patch"]["spec"]["template"]["spec"]["containers"][0];
    ensure!(patch["lifecycle"]["preStop"]["exec"].is_null(), "the hook that fails stays: {patch}");
    let sleep_s = patch["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().context("no sleep in the patch")?;
    ensure!((2..=10).contains(&sleep_s), "a sleep of {sleep_s} s");
    ensure!(text.contains("kubectl patch deployment ml-inference"), "the patch is not printed: {text}");
    Ok(())
}

/// Gateway and serving pods at once: each failure has its part, and both parts have their change.
pub fn dual_rollout(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let conntrack = Conntrack::start(bench, "dual-rollout")?;
    let run = bench.experiment("dual-rollout", &["dual-rollout", "--rate", "250", "--settle", "5s"])?;
    let theirs = conntrack.stop(&cluster_ip(bench, "ml-inference-service")?, "5000", run.started_s()?)?;
    run.assert_closed()?;
    assert_same(&new_upstream_entries(&run)?, &theirs)?;
    let verdict = verdict(&run, "Q10.4")?;
    ensure!(verdict["claim"].is_string(), "no claim: {verdict}");
    let figure = |name: &str| {
        let all = verdict["evidence"].as_array().into_iter().flatten();
        let found = all.filter(|figure| figure["name"] == name).find_map(|figure| figure["value"].as_f64());
        // Counts and whole milliseconds: figures are numbers of any kind.
        let found = found.map(|value| value.round() as u64);
        found.with_context(|| format!("no figure {name}: {verdict}"))
    };
    let parts = ["gateway", "upstream", "neither"].map(|part| figure(&format!("failed_because_of_{part}_count")));
    let sum: u64 = parts.into_iter().collect::<Result<Vec<u64>>>()?.iter().sum();
    ensure!(sum == run.failed()?, "the parts make {sum}, {} failed", run.failed()?);
    ensure!(figure("failed_because_of_gateway_count")? > 0, "two gateways were replaced and nothing was lost");
    ensure!(figure("gateway_pods_replaced_count")? == 2, "{verdict}");
    ensure!(figure("upstream_pods_replaced_count")? == 3, "{verdict}");
    // Both were started at once; whether pods of both end at the same moment is the controllers' business. It must be told.
    figure("overlap_ms")?;
    for failure in run.failures() {
        ensure!(failure["cause"] != "unknown", "no cause: {failure}");
    }
    Ok(())
}

/// The share that the report gives the canary is what the pods themselves have counted.
pub fn canary(bench: &Bench) -> Result<()> {
    canary_of(bench, "canary", &[])?;
    // It has the labels of the stable pods, and stays: a rollout beside it must not wait for its end.
    let arguments = ["rollout", "--rate", "50", "--prestop", "sleep:2", "--settle", "1s", "--rollout-timeout", "60s"];
    bench.experiment("rollout-beside-canary", &arguments)?.assert_closed()
}

/// The same when the gateway has been told the share: one in ten, although one pod in four is the canary.
pub fn weighted_canary(bench: &Bench) -> Result<()> {
    canary_of(bench, "canary-weighted", &["--weight", "10%"])
}

fn canary_of(bench: &Bench, name: &str, arguments: &[&str]) -> Result<()> {
    bench.deploy(&format!("overlays/local-fast-{name}"))?;
    bench.cluster.wait_rollout(NAMESPACE, CANARY, std::time::Duration::from_secs(120))?;
    let before = served(bench)?;
    let run = bench.experiment(name, &[&["canary", "--rate", "250", "--duration", "16s"], arguments].concat())?;
    run.assert_closed()?;
    let after = served(bench)?;
    let counted = |canary: bool| -> u64 {
        let pods = after.iter().filter(|(pod, _)| pod.starts_with(CANARY) == canary);
        pods.map(|(pod, n)| n - before.iter().find(|(name, _)| name == pod).map_or(0, |(_, n)| *n)).sum()
    };
    let report = &run.report["canary"];
    ensure!(report["canary"]["requests_count"] == counted(true), "{report}, the canary counted {}", counted(true));
    ensure!(report["stable"]["requests_count"] == counted(false), "{report}, stable pods counted {}", counted(false));
    ensure!(report["expected_share_ratio"] == 0.1, "{report}");
    let share = &report["by_connection"];
    ensure!(share["total_count"] == run.number("/ledger/sent")?, "{share}");
    let p = share["p_value"].as_f64().context("no test of the share")?;
    ensure!(p > 0.0001, "one connection in ten is not what came out: {share}");
    // Both versions are the same, but one share in a hundred is off by chance as far as the report's own test goes.
    let wanted = if p < 0.01 { "hold" } else { "promote" };
    ensure!(report["decision"] == wanted, "both versions are the same: {report}");
    ensure!(verdict(&run, "Q10.5")?["claim"].is_string(), "no claim");
    Ok(())
}

/// Our undo and kubectl's leave the same Deployment, and what is to be put back is put back.
pub fn rollback(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let kubectl = |arguments: &[&str]| bench.cluster.kubectl(&[&["--namespace", NAMESPACE], arguments].concat());
    let target = format!("deployment/{STABLE}");
    let settle = || bench.cluster.wait_rollout(NAMESPACE, STABLE, std::time::Duration::from_secs(120));
    let first = state(bench)?;
    kubectl(&["set", "env", &target, "UPDATED=yes"])?;
    kubectl(&["annotate", &target, "kubernetes.io/change-cause=an update", "--overwrite"])?;
    settle()?;
    let second = state(bench)?;
    ensure!(first != second, "the update changed nothing");

    let run = bench.experiment("rollback", &["rollback", "--rate", "100", "--settle", "2s"])?;
    run.assert_closed()?;
    ensure!(state(bench)? == second, "what the run had changed is not put back: {:?}", state(bench)?);
    let revisions = run.report["revisions"].as_array().context("no revisions")?;
    let causes: Vec<&str> = revisions.iter().filter_map(|revision| revision["change_cause"].as_str()).collect();
    ensure!(causes.contains(&"an update") && causes.contains(&"Initial deployment - http-echo v1"), "{causes:?}");
    ensure!(verdict(&run, "10.5")?["claim"].as_str().is_some_and(|claim| claim.contains("an update")), "no claim");

    bench.experiment("rollback-kept", &["rollback", "--rate", "100", "--settle", "1s", "--no-restore"])?;
    let ours = state(bench)?;
    kubectl(&["rollout", "undo", &target])?;
    settle()?;
    ensure!(state(bench)? == second, "kubectl does not come back to the update");
    kubectl(&["rollout", "undo", &target])?;
    settle()?;
    ensure!(ours == state(bench)?, "kubectl's undo: {:?}, ours: {ours:?}", state(bench)?);
    ensure!(ours.0 == first.0, "the template is not that of before the update");
    Ok(())
}

/// Template, and annotations without those that count.
fn state(bench: &Bench) -> Result<(Value, Value)> {
    let text = bench.cluster.kubectl(&["--namespace", NAMESPACE, "get", "deployment", STABLE, "--output=json"])?;
    let mut object: Value = serde_json::from_str(&text)?;
    let mut annotations = object["metadata"]["annotations"].take();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    Ok((object["spec"]["template"].take(), annotations))
}

/// Requests with a trace id that each serving pod has counted itself.
fn served(bench: &Bench) -> Result<Vec<(String, u64)>> {
    let names = "--output=jsonpath={.items[*].metadata.name}";
    let pods =
        bench.cluster.kubectl(&["--namespace", NAMESPACE, "get", "pods", "--selector=app=ml-inference", names])?;
    let count = |pod: &str| {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:5000/proxy/_stats");
        let stats: Value = serde_json::from_str(&bench.cluster.kubectl(&["get", "--raw", &path])?)?;
        Ok((pod.to_owned(), stats["requests"]["traced"].as_u64().context("a pod counts nothing")?))
    };
    pods.split_whitespace().map(count).collect()
}

/// Proves a fix and checks what every proof must hold; the Deployments must be as before.
fn prove(bench: &Bench, name: &str, experiment: &str, deployments: &[&str]) -> Result<(Value, String)> {
    let templates = || -> Result<Vec<String>> {
        let spec = "--output=jsonpath={.spec.template.spec}";
        let read =
            |name: &&str| Ok(bench.cluster.kubectl(&["--namespace", NAMESPACE, "get", "deployment", name, spec])?);
        deployments.iter().map(read).collect()
    };
    let before = templates()?;
    let folder = bench.folder(name)?;
    let out = folder.to_string_lossy();
    let arguments =
        [experiment, "--prove-fix", "--rate", "250", "--settle", "5s", "--nat-timeout", "20s", "--out", &out];
    let output = bench.loadgen_output(&arguments)?;
    let (text, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "ended with {}: {text}{told}", output.status);
    let proof: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("prove-fix.json"))?)?;
    ensure!(proof["outcome"] == "proven", "{}", proof["claim"]);
    for (run, lost) in [("as-it-is", true), ("with-fix", false)] {
        let run = Run::read(&folder.join(run), text.clone().into_owned())?;
        run.assert_closed()?;
        ensure!((run.failed()? > 0) == lost, "{} failed", run.failed()?);
    }
    ensure!(proof["comparison"]["requests_p_value"].as_f64().is_some_and(|p| p < 0.01), "{}", proof["comparison"]);
    ensure!(before == templates()?, "a Deployment is not as it was");
    Ok((proof, text.into_owned()))
}

/// Sets how long an unanswered attempt's entry lives on the node, and returns what it was.
fn syn_sent_timeout(bench: &Bench, seconds: &str) -> Result<String> {
    let name = "net.netfilter.nf_conntrack_tcp_timeout_syn_sent";
    let read = bench.cluster.node_command("sysctl").args(["-n", name]).output()?;
    ensure!(read.status.success(), "cannot read {name}");
    let set = bench.cluster.node_command("sysctl").args(["-w", &format!("{name}={seconds}")]).output()?;
    ensure!(set.status.success(), "cannot set {name}: {}", String::from_utf8_lossy(&set.stderr));
    Ok(String::from_utf8_lossy(&read.stdout).trim().to_owned())
}

fn verdict<'r>(run: &'r Run, question: &str) -> Result<&'r Value> {
    let all = run.report["verdicts"].as_array().into_iter().flatten();
    all.into_iter().find(|verdict| verdict["question"] == question).with_context(|| format!("no verdict {question}"))
}
