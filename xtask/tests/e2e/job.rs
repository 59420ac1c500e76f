//! The load from inside the cluster: one schedule, three senders, one report.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::lab::NAMESPACE;

use crate::{bench::Bench, witness::assert_nginx_agrees};

/// Three pods on two nodes send what one place would have sent, at the same times, and nothing of them stays.
pub fn three_senders_make_one_schedule(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-spread-no-hook")?;
    let load = ["job", "--shards", "3", "--rate", "200", "--poisson", "--seed", "11", "--duration", "20s"];
    let run = bench.experiment("job", &load)?;
    run.assert_closed()?;
    assert_nginx_agrees(bench, &run)?;
    ensure!(run.failed()? == 0, "{} failed: {}", run.failed()?, run.report["ledger"]);
    let sent = run.number("/ledger/sent")?;
    for path in ["/completeness/requests_seen_at_gateway", "/completeness/requests_seen_at_pod"] {
        ensure!(run.number(path)? == sent, "{path} is {}, sent {sent}", run.number(path)?);
    }
    let from_here = bench
        .experiment("job-one-place", &["steady", "--rate", "200", "--poisson", "--seed", "11", "--duration", "20s"])?;
    ensure!(arrivals(&run.client)? == arrivals(&from_here.client)?, "three senders have another schedule than one");
    ensure!(nodes_of_senders(&run.file)? == 2, "all senders are on one node");

    for kind in ["jobs", "pods"] {
        let find = [
            "--namespace",
            NAMESPACE,
            "get",
            kind,
            "--selector=app.kubernetes.io/name=podwitness-load",
            "--output=name",
        ];
        let left = bench.cluster.kubectl(&find)?;
        ensure!(left.trim().is_empty(), "{kind} stay: {left}");
    }
    Ok(())
}

/// Number and due time of each request, since the first.
fn arrivals(client: &[Value]) -> Result<Vec<(u64, u64)>> {
    let field = |request: &Value, name: &str| request[name].as_u64().with_context(|| format!("no {name}: {request}"));
    let mut all =
        client.iter().map(|it| Ok((field(it, "seq")?, field(it, "due_ns")?))).collect::<Result<Vec<(u64, u64)>>>()?;
    all.sort_unstable();
    let first_ns = all.first().map_or(0, |(_, due_ns)| *due_ns);
    Ok(all.into_iter().map(|(seq, due_ns)| (seq, due_ns - first_ns)).collect())
}

fn nodes_of_senders(run: &Value) -> Result<usize> {
    let shards = run["shards"].as_array().context("run.json names no senders")?;
    ensure!(shards.len() == 3, "{} senders", shards.len());
    let nodes: std::collections::BTreeSet<_> = shards.iter().filter_map(|shard| shard["node"].as_str()).collect();
    Ok(nodes.len())
}
