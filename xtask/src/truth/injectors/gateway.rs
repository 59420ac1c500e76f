//! The gateway's pod ends.

use std::{thread::sleep, time::Duration};

use super::{HELD_MS, Injector, MS, held, nothing, until_all_are_held, window};
use crate::truth::{
    bench::{GATEWAY_PORT, Load, seconds_for},
    judge::{Hits, Said, Truth, Window},
    node::{Frozen, Met, PodProcess, at, monotonic_ns},
};

const RATE: u32 = 50;

/// The pod is deleted while the rules still lead to it.
pub const DELETED: Injector = Injector {
    name: "gateway-deleted",
    causes: &["gateway_terminated"],
    about: "the only gateway pod is deleted while kube-proxy stands still",
    load: |bench| {
        Load::new("/predict", RATE, seconds_for(bench.cases, RATE) + 14)
            .with(&["--connect-timeout=1s", "--workers=200"])
    },
    prepare: nothing,
    inject: |bench| {
        let (node, pod) = (bench.node()?, bench.only_pod("api-gateway")?);
        let port = at(bench.cluster.node().address().into(), 30080);
        let client = crate::truth::node::Network::open("/run/netns/pw-client".as_ref())?;
        sleep(Duration::from_secs(2));
        let proxy = Frozen::freeze(bench.daemon("kube-proxy")?)?;
        let asked_ns = monotonic_ns();
        bench.kubectl(&["delete", "pod", &pod.name, "--wait=false"])?;
        node.wait_for(at(pod.ip, GATEWAY_PORT), &[Met::Refused, Met::Silence])?;
        let from_ns = monotonic_ns();
        sleep(Duration::from_secs(seconds_for(bench.cases, RATE) + 3));
        let to_ns = monotonic_ns();
        drop(proxy);
        client.wait_for(port, &[Met::Open])?;
        let open_ns = monotonic_ns() + 500 * MS;
        let why = format!("from its own dial to {} failing until kube-proxy went on", pod.ip);
        // From then on the rules are right; what is still lost follows what the unanswered attempts have left.
        let stale = Truth {
            cause: "stale_nat_entry",
            hits: Hits::FailedIn(Window { from_ns: open_ns, to_ns: u64::MAX }),
            why: format!("its own dial to {port} was answered again, and unanswered attempts had left entries"),
        };
        Ok(Said {
            truths: vec![window("gateway_terminated", from_ns, to_ns, why), stale],
            unsure: vec![Window { from_ns: asked_ns - 100 * MS, to_ns: open_ns }],
            ..Said::default()
        })
    },
};

/// Its first process is killed while it holds requests.
pub const KILLED: Injector = Injector {
    name: "gateway-killed",
    causes: &["gateway_terminated"],
    about: "every request is held behind the gateway for 9.5 s; the gateway's process is killed under them",
    load: held,
    prepare: nothing,
    inject: |bench| {
        let pod = bench.only_pod("api-gateway")?;
        // The lowest pid is the container's init: the others end with it.
        let process = PodProcess::find(&pod.uid, "nginx")?;
        until_all_are_held();
        let killed_ns = monotonic_ns();
        process.kill()?;
        let why = format!("process {} of gateway pod {} was killed while it held them", process.0, pod.name);
        Ok(Said {
            truths: vec![window("gateway_terminated", killed_ns - (HELD_MS - 500) * MS, killed_ns - 50 * MS, why)],
            unsure: vec![Window { from_ns: 0, to_ns: u64::MAX }],
            ..Said::default()
        })
    },
};
