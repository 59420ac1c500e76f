//! Balance and a slow pod: the report's counts against the node's own conntrack, and the slow pod by its name.

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::{
    bench::Bench,
    report::Run,
    witness::{Conntrack, cluster_ip},
};

/// What nobody has chosen is chance: kube-proxy's rules are not round-robin, and the report says so. Each pod got as many
/// connections as conntrack counts.
pub fn chance_and_the_counts_of_conntrack(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let conntrack = Conntrack::start(bench, "balance")?;
    let run = bench.experiment("balance", &["balance", "--rate", "100", "--duration", "10s"])?;
    let theirs = conntrack.stop_by_backend(&cluster_ip(bench, "ml-inference-service")?, "5000", run.started_s()?)?;
    run.assert_closed()?;
    let balance = &run.report["balance"];
    let ours: BTreeMap<String, u64> = shares(balance, "connections")?;
    let addresses = pod_addresses(&run)?;
    let theirs: BTreeMap<String, u64> = theirs
        .into_iter()
        .map(|(ip, count)| Ok((addresses.get(&ip).with_context(|| format!("no pod has {ip}"))?.clone(), count)))
        .collect::<Result<_>>()?;
    ensure!(ours == theirs, "connections by pod: we {ours:?}, conntrack {theirs:?}");
    ensure!(balance["pattern"] == "random", "{}", balance["explanation"]);
    ensure!(balance["requests_on_kept_connections"] == 0, "{balance}");
    let decision = &balance["decision"];
    let chosen = decision["endpoints"].as_array().context("no endpoints")?.iter().filter(|one| one["chosen"] == true);
    ensure!(chosen.count() == 1 && decision["nat_source"] == "new", "{decision}");
    let policies = balance["what_if"].as_array().context("no what_if")?;
    ensure!(policies.len() == 6, "{} policies", policies.len());
    ensure!(policies.iter().all(|policy| policy["source"] == "computed"), "{policies:?}");
    ensure!(claim(&run, "Q8.2")?.contains("not round-robin"), "{}", claim(&run, "Q8.2")?);
    ensure!(claim(&run, "Q4.2")?.contains("different pods"), "{}", claim(&run, "Q4.2")?);
    Ok(())
}

/// A gateway that keeps its connections: nearly no request is a choice, and the report says that instead of a pattern.
pub fn kept_connections_are_named(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-keepalive")?;
    let run = bench.experiment("balance-kept", &["balance", "--rate", "100", "--duration", "10s", "--keep-alive"])?;
    run.assert_closed()?;
    let balance = &run.report["balance"];
    let (kept, requests) = (number(balance, "requests_on_kept_connections")?, number(balance, "requests")?);
    ensure!(kept * 2 > requests, "{kept} of {requests} on kept connections");
    ensure!(claim(&run, "Q8.2")?.contains("kept"), "{}", claim(&run, "Q8.2")?);
    Ok(())
}

/// One pod is told to wait: it is named, the client's p99 shows it, the rules do not react, and it is fast again afterwards.
pub fn a_slow_pod_is_named_and_restored(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let arguments = ["slow-pod", "--rate", "90", "--by", "delay", "--before", "4s", "--during", "8s", "--after", "3s"];
    let run = bench.experiment("slow-pod", &arguments)?;
    run.assert_closed()?;
    let slow = &run.report["slow_pod"];
    ensure!(
        slow["slowest_pod"] == slow["pod"] && slow["pod"].is_string(),
        "slowest {}, slowed {}",
        slow["slowest_pod"],
        slow["pod"]
    );
    let low = |name: &str| slow[name]["low_us"].as_f64().with_context(|| format!("no {name}: {slow}"));
    ensure!(low("slow_pod_median")? > 100_000.0 && low("client_p99")? > 50_000.0, "{slow}");
    ensure!(slow["share"]["reacted"] == false, "{}", slow["share"]);
    ensure!(claim(&run, "Q8.3")?.contains("did not react"), "{}", claim(&run, "Q8.3")?);
    let pod = slow["pod"].as_str().unwrap_or_default();
    ensure!(delay_of(bench, pod)? == Some(0), "pod/{pod} still waits {:?} ms", delay_of(bench, pod)?);
    Ok(())
}

/// The same by the CPU limit, which is what a smaller node would be.
pub fn a_pod_with_less_cpu_is_restored(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let arguments = [
        "slow-pod", "--rate", "60", "--by", "cpu", "--cpu", "10m", "--before", "4s", "--during", "8s", "--after", "3s",
    ];
    let run = bench.experiment("slow-pod-cpu", &arguments)?;
    ensure!(run.report["slow_pod"]["by"] == "cpu", "{}", run.report["slow_pod"]);
    let pod = run.report["slow_pod"]["pod"].as_str().context("no pod")?;
    let path = "--output=jsonpath={.status.containerStatuses[0].resources.limits.cpu} {.spec.containers[0].resources.requests.cpu}";
    let now = bench.cluster.kubectl(&["--namespace", NAMESPACE, "get", "pod", pod, path])?;
    ensure!(now.trim() == "2 50m", "pod/{pod} has {now}");
    Ok(())
}

/// Ctrl-C while the pod is slow: it is fast again.
pub fn ctrl_c_makes_the_pod_fast_again(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast")?;
    let folder = bench.folder("slow-pod-interrupted")?;
    let child = bench
        .loadgen(&["slow-pod", "--rate", "50", "--before", "3s", "--during", "60s", "--out", &folder.to_string_lossy()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    sleep(Duration::from_secs(12));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id())?), nix::sys::signal::Signal::SIGINT)?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(130), "ended with {}: {text}", output.status);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("report.json"))?)?;
    let pod = report["slow_pod"]["pod"].as_str().with_context(|| format!("it was never slow: {text}"))?;
    ensure!(delay_of(bench, pod)? == Some(0), "pod/{pod} still waits {:?} ms", delay_of(bench, pod)?);
    Ok(())
}

/// What the forecasts say of two policies, against nginx that really follows them: the same rate, the same slow pod. Each
/// forecast comes from the run under kube-proxy's rules alone.
pub fn forecasts_against_a_real_balancer(bench: &Bench) -> Result<()> {
    let arguments = ["slow-pod", "--rate", "90", "--by", "delay", "--before", "4s", "--during", "12s", "--after", "3s"];
    bench.deploy("overlays/local-fast")?;
    let chance = bench.experiment("what-if", &arguments)?;
    for (overlay, policy) in
        [("overlays/local-fast-least-conn", "least_requests"), ("overlays/local-fast-random-two", "two_choices")]
    {
        bench.deploy(overlay)?;
        let real = bench.experiment(&format!("what-if-{policy}"), &arguments)?;
        real.assert_closed()?;
        let forecast = forecast_of(&chance, policy)?;
        let (share, p99_us) =
            (slow_share(&real)?, phase(&real, "during")?["client_p99_us"].as_f64().context("no p99")?);
        let without = slow_share(&chance)?;
        ensure!(
            (forecast.slow_share - share).abs() < 0.05 && share < without - 0.05,
            "{policy}: the slow pod's share was to be {:.3}, is {share:.3}, and {without:.3} by chance",
            forecast.slow_share
        );
        let ratio = forecast.p99_us / p99_us;
        ensure!((0.8..1.25).contains(&ratio), "{policy}: p99 was to be {} µs, is {p99_us} µs", forecast.p99_us);
    }
    Ok(())
}

struct Forecast {
    slow_share: f64,
    p99_us: f64,
}

fn forecast_of(run: &Run, policy: &str) -> Result<Forecast> {
    let slow = &run.report["slow_pod"];
    let forecasts = slow["what_if"].as_array().context("no forecasts")?;
    let forecast = forecasts.iter().find(|one| one["policy"] == policy).with_context(|| format!("no {policy}"))?;
    let pods = slow["what_if_pods"].as_array().context("no pods")?;
    let at = pods.iter().position(|pod| *pod == slow["pod"]).context("the slow pod was not replayed")?;
    Ok(Forecast {
        slow_share: forecast["shares_ratio"][at].as_f64().context("no share")?,
        p99_us: forecast["p99_us"].as_f64().context("no p99")?,
    })
}

fn phase<'r>(run: &'r Run, name: &str) -> Result<&'r Value> {
    let phases = run.report["slow_pod"]["phases"].as_array().context("no phases")?;
    phases.iter().find(|phase| phase["name"] == name).with_context(|| format!("no phase {name}"))
}

fn slow_share(run: &Run) -> Result<f64> {
    phase(run, "during")?["slow_pod_requests_ratio"].as_f64().context("no share")
}

fn number(balance: &Value, name: &str) -> Result<u64> {
    balance[name].as_u64().with_context(|| format!("balance has no {name}"))
}

fn shares(balance: &Value, of: &str) -> Result<BTreeMap<String, u64>> {
    let shares = balance["shares"].as_array().context("no shares")?;
    shares
        .iter()
        .map(|share| {
            Ok((share["pod"].as_str().context("no name")?.to_owned(), share[of].as_u64().context("no count")?))
        })
        .collect()
}

fn pod_addresses(run: &Run) -> Result<BTreeMap<String, String>> {
    let pods = run.report["pods"].as_array().context("no pods")?;
    Ok(pods.iter().filter_map(|pod| Some((pod["ip"].as_str()?.to_owned(), pod["name"].as_str()?.to_owned()))).collect())
}

fn claim(run: &Run, question: &str) -> Result<String> {
    let verdicts = run.report["verdicts"].as_array().context("no verdicts")?;
    let verdict = verdicts.iter().find(|verdict| verdict["question"] == question);
    let claim = verdict.and_then(|verdict| verdict["claim"].as_str());
    claim.map(str::to_owned).with_context(|| format!("{question} is not answered: {verdict:?}"))
}

/// What the pod's server itself says, asked through the API server with kubectl.
fn delay_of(bench: &Bench, pod: &str) -> Result<Option<u64>> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:5000/proxy/_admin");
    let text = bench.cluster.kubectl(&["get", "--raw", &path])?;
    Ok(serde_json::from_str::<Value>(&text)?["delay_ms"].as_u64())
}
