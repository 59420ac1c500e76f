//! A Service that selects nobody.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{Injector, MS, nothing, window};
use crate::truth::{
    bench::{Bench, Load, seconds_for},
    judge::{Said, Window},
    node::{Met, monotonic_ns},
};

const RATE: u32 = 50;

/// The Service's selector matches no pod.
pub const NO_READY_ENDPOINT: Injector = Injector {
    name: "no-ready-endpoint",
    causes: &["no_ready_endpoint"],
    about: "the Service's selector is changed so that it matches no pod",
    load: |bench| Load::new("/predict", RATE, seconds_for(bench.cases, RATE) + 10),
    prepare: nothing,
    inject,
};

fn select(bench: &Bench<'_>, app: &str) -> Result<()> {
    let patch = format!(r#"{{"spec":{{"selector":{{"app":"{app}"}}}}}}"#);
    bench.kubectl(&["patch", "service", "ml-inference-service", "-p", &patch]).map(drop)
}

fn inject(bench: &Bench<'_>) -> Result<Said> {
    let (node, service) = (bench.node()?, bench.service()?);
    sleep(Duration::from_secs(2));
    let asked_ns = monotonic_ns();
    select(bench, "nobody")?;
    // The node rejects it at once when nobody is behind it. The injector's own dial shows when that begins.
    node.wait_for(service, &[Met::Refused])?;
    let from_ns = monotonic_ns();
    sleep(Duration::from_secs(seconds_for(bench.cases, RATE) + 1));
    let to_ns = monotonic_ns();
    select(bench, "ml-inference")?;
    node.wait_for(service, &[Met::Open])?;
    let why = format!("from its own dial to {service} being refused until the selector was put back");
    Ok(Said {
        truths: vec![window("no_ready_endpoint", from_ns, to_ns, why)],
        unsure: vec![Window { from_ns: asked_ns - 100 * MS, to_ns: monotonic_ns() + 100 * MS }],
        ..Said::default()
    })
}
