//! The load from inside the cluster: one schedule, three senders, one report.

use std::{
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use verbs::{
    lab::NAMESPACE,
    truth::node::{Frozen, PodProcess},
};

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

/// One of the senders is stopped while pods have its requests: what is late by that is the sender's, and the report names it.
pub fn a_sender_that_is_stopped_is_told_from_the_cluster(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/truth")?;
    // The pod takes 0.15 s for each, so that every sender has some under way at any time.
    let load = ["job", "--shards", "3", "--rate", "90", "--duration", "10s", "--path", "/truth/held-briefly"];
    let (run, stopped) = thread::scope(|scope| {
        let run = scope.spawn(|| bench.experiment("job-stopped", &load));
        let stopped = stop_one(bench);
        let run = run.join().map_err(|_| anyhow::anyhow!("the run panicked"))?;
        Ok::<_, anyhow::Error>((run?, stopped?))
    })?;
    run.assert_closed()?;
    let shards = run.file["shards"].as_array().context("run.json names no senders")?;
    let position = shards.iter().position(|shard| shard["pod"] == stopped.as_str());
    let index = position.with_context(|| format!("{stopped} is none of the senders"))? as u64;
    let slow = run.report["slow"].as_array().context("the report explains no slow answer")?;
    let late: Vec<&Value> = slow.iter().filter(|it| it["latency_us"].as_u64() >= Some(500_000)).collect();
    ensure!(late.len() >= 2, "the stop made {} answers late: {slow:?}", late.len());
    for it in late {
        let named = it["explanation"].as_str().is_some_and(|why| why.contains(&stopped));
        ensure!(it["cause"] == "late_client" && named && it["seq"].as_u64().map(|seq| seq % 3) == Some(index), "{it}");
    }
    Ok(())
}

/// Stops the second pod of the Job for 0.7 s, in the middle of its load. Its name.
fn stop_one(bench: &Bench) -> Result<String> {
    let find = [
        "--namespace",
        NAMESPACE,
        "get",
        "pods",
        "--selector=app.kubernetes.io/name=podwitness-load,batch.kubernetes.io/job-completion-index=1",
        "--output=jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{end}",
    ];
    let begun = Instant::now();
    let (name, process) = loop {
        let found = bench.cluster.kubectl(&find)?;
        let pod = found.trim().split_once(' ').map(|(name, uid)| (name.to_owned(), PodProcess::find(uid, "loadgen")));
        match pod {
            Some((name, Ok(process))) => break (name, process),
            _ => ensure!(begun.elapsed() < Duration::from_secs(60), "no sender runs: {found}"),
        }
        sleep(Duration::from_millis(200));
    };
    // Its load begins within five seconds, and takes ten.
    sleep(Duration::from_secs(8));
    let frozen = Frozen::freeze(process.0)?;
    sleep(Duration::from_millis(700));
    drop(frozen);
    Ok(name)
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
