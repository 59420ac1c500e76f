//! A steady load: nothing is missed.

use anyhow::{Result, ensure};

use crate::{bench::Bench, witness::assert_nginx_agrees};

/// Every request is seen at the gateway and at a pod, with the right pod, and the price of watching is printed.
pub fn every_request_at_both_hops(bench: &Bench) -> Result<()> {
    bench.deploy("overlays/local-fast-no-hook")?;
    let run = bench.experiment("steady", &["steady", "--rate", "1000", "--duration", "60s"])?;
    run.assert_closed()?;
    assert_nginx_agrees(bench, &run)?;
    let sent = run.number("/ledger/sent")?;
    ensure!(sent == 60_000, "{sent} requests instead of 60,000");
    ensure!(run.failed()? == 0, "{} failed: {}", run.failed()?, run.report["ledger"]);
    for path in ["/completeness/requests_seen_at_gateway", "/completeness/requests_seen_at_pod"] {
        ensure!(run.number(path)? == sent, "{path} is {}, sent {sent}", run.number(path)?);
    }
    let pods = run.report["pods"].as_array().map_or(&[][..], Vec::as_slice);
    let serving = pods.iter().filter(|pod| pod["role"] == "upstream");
    for pod in serving {
        ensure!(pod["latency_us"]["p99_us"].is_u64(), "no latency of {}", pod["name"]);
    }
    ensure!(run.report["observer_cost"]["cpu_ratio"].is_number(), "the observer's cost is not in the report");
    ensure!(run.report["hops"].as_array().is_some_and(|hops| hops.len() >= 5), "hops are missing");
    Ok(())
}
