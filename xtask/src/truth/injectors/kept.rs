//! Kept connections that are dead at the pod, unknown to the gateway.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, ensure};

use super::{Injector, MS, one_serving_pod};
use crate::truth::{
    bench::{Bench, Load, seconds_for},
    judge::{Hits, Said, Truth, Window},
    node::{PodProcess, Rules, monotonic_ns},
};

/// While connections are made: each request takes 1.5 s, so so many are open at once.
const FILL_RATE: u32 = 100;
const FILL_S: u64 = 3;
const PAUSE_S: u64 = 5;
const USE_RATE: u32 = 50;

/// The pod's half of every kept connection is destroyed while nothing is under way, and its reset does not get through.
pub const STALE_KEEPALIVE: Injector = Injector {
    name: "stale-keepalive",
    causes: &["stale_keepalive"],
    about: "kept connections are destroyed at the pod, their resets dropped; the gateway then uses each once more",
    load: |bench| {
        let using_s = seconds_for(200.max(bench.cases), USE_RATE) + 2;
        let steps = format!("--steps={FILL_RATE}:{FILL_S}s,0:{PAUSE_S}s,{USE_RATE}:{using_s}s");
        Load::new("/truth/kept", USE_RATE, 0).with(&[&steps, "--workers=300"])
    },
    prepare: one_serving_pod,
    inject,
};

fn inject(bench: &Bench<'_>) -> Result<Said> {
    let pod = bench.only_pod("ml-inference")?;
    let (gateway, _) = bench.gateway()?;
    let network = PodProcess::find(&pod.uid, "inference")?.network()?;
    // The last request of the first part is answered 1.5 s after it.
    sleep(Duration::from_secs(FILL_S) + Duration::from_millis(2_800));
    let sockets = |how: &str| -> Result<u64> {
        let list = network.run("ss", &[how, "state", "established", "sport", "=", ":5000"])?;
        Ok(list.lines().filter(|line| line.contains(&gateway.ip.to_string())).count() as u64)
    };
    let count = sockets("-Htn")?;
    ensure!(count > 0, "the gateway keeps no connection to {}", pod.ip);
    let begun_ns = monotonic_ns();
    {
        let _rules = Rules::add(&network, "output", &["tcp sport 5000 tcp flags & (fin | rst) != 0 drop"])?;
        sockets("-KHtn")?;
        sleep(Duration::from_millis(200));
    }
    let left = sockets("-Htn")?;
    ensure!(left == 0, "{left} of {count} connections are still there");
    let from_ns = monotonic_ns();
    let why = format!(
        "{count} kept connections of {} to pod {} were destroyed at the pod; the gateway uses the last kept first, and each once",
        gateway.name, pod.name
    );
    Ok(Said {
        truths: vec![Truth { cause: "stale_keepalive", hits: Hits::First { from_ns, count, fuzzy: 3 }, why }],
        unsure: vec![Window { from_ns: begun_ns - 10 * MS, to_ns: from_ns }],
        ..Said::default()
    })
}
