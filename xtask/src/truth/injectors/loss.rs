//! Packets are lost between two ends that are alive.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{Injector, MS, nothing, one_serving_pod, window};
use crate::truth::{
    bench::{Bench, GATEWAY_PORT, Load, POD_PORT, seconds_for},
    judge::{Said, Window},
    node::{Network, PodProcess, Rules, monotonic_ns},
};

const RATE: u32 = 50;

/// Drops what the rule says for a while. A SYN that is sent again gets through once the rule has gone: of the requests of the last
/// `patience_ms` it is not known which ones do.
fn drop_for(
    bench: &Bench<'_>,
    network: &Network,
    hook: &str,
    rule: &str,
    patience_ms: u64,
    where_to: &str,
) -> Result<Said> {
    sleep(Duration::from_secs(2));
    let rules = Rules::add(network, hook, &[rule])?;
    let from_ns = monotonic_ns();
    sleep(Duration::from_secs(seconds_for(bench.cases, RATE) + 1) + Duration::from_millis(patience_ms));
    let to_ns = monotonic_ns();
    drop(rules);
    let why =
        format!("nftables dropped every SYN {where_to} from the first moment until {patience_ms} ms after the last");
    Ok(Said {
        truths: vec![window("network_loss", from_ns, to_ns - patience_ms * MS, why)],
        unsure: vec![Window { from_ns: from_ns - 200 * MS, to_ns: monotonic_ns() + 50 * MS }],
        ..Said::default()
    })
}

/// Between gateway and pod.
pub const GATEWAY_TO_POD: Injector = Injector {
    name: "loss-at-pod",
    causes: &["network_loss"],
    about: "SYNs of the gateway are dropped at the pod, which is well and ready",
    load: |bench| {
        Load::new("/truth/patient-connect", RATE, seconds_for(bench.cases, RATE) + 10).with(&["--workers=300"])
    },
    prepare: one_serving_pod,
    inject: |bench| {
        let pod = bench.only_pod("ml-inference")?;
        let (gateway, _) = bench.gateway()?;
        let network = PodProcess::find(&pod.uid, "inference")?.network()?;
        let rule = format!("ip saddr {} tcp dport {POD_PORT} tcp flags & (syn | ack) == syn drop", gateway.ip);
        drop_for(bench, &network, "input", &rule, 2_700, &format!("from {} to {}", gateway.name, pod.name))
    },
};

/// Between client and gateway.
pub const CLIENT_TO_GATEWAY: Injector = Injector {
    name: "loss-at-gateway",
    causes: &["network_loss"],
    about: "SYNs of the client are dropped at the gateway's pod, which is well and ready",
    load: |bench| {
        Load::new("/predict", RATE, seconds_for(bench.cases, RATE) + 10)
            .with(&["--connect-timeout=2500ms", "--workers=300"])
    },
    prepare: nothing,
    inject: |bench| {
        let (gateway, network) = bench.gateway()?;
        // The kubelet's probes come from the bridge's address, as masqueraded clients do; only a client's packet was forwarded.
        let rule = format!("ip ttl < 64 tcp dport {GATEWAY_PORT} tcp flags & (syn | ack) == syn drop");
        drop_for(bench, &network, "input", &rule, 2_700, &format!("of the client to {}", gateway.name))
    },
};

/// Between client and node: no entry is made for what never arrives.
pub const CLIENT_TO_NODE: Injector = Injector {
    name: "loss-before-node",
    causes: &["network_loss"],
    about: "SYNs of the client are dropped where they reach the node, before conntrack sees them",
    load: |bench| {
        Load::new("/predict", RATE, seconds_for(bench.cases, RATE) + 10)
            .with(&["--connect-timeout=2500ms", "--workers=300"])
    },
    prepare: nothing,
    inject: |bench| {
        let rule = "tcp dport 30080 tcp flags & (syn | ack) == syn drop";
        drop_for(bench, &bench.node()?, "prerouting", rule, 2_700, "of the client to the node's port")
    },
};
