//! A pod is deleted while the node's rules still lead to it, first with its listener closed, then with its address gone; then the
//! rules are right, and old conntrack entries still lead there.
//!
//! kube-proxy is stopped from before the deletion until the rules may follow, so each part lasts as long as it is needed.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{Injector, MS, one_serving_pod, window};
use crate::truth::{
    bench::{Bench, Load, POD_PORT, seconds_for},
    judge::{Hits, Said, Truth, Window},
    node::{Frozen, Met, Network, PORT_RANGE, Setting, at, monotonic_ns},
};

const RATE: u32 = 50;

/// Refused, unanswered, and sent there by old entries, one after the other.
pub const DEAD_POD: Injector = Injector {
    name: "dead-pod",
    causes: &["refused_by_terminated_pod", "unanswered_pod_ip", "stale_nat_entry"],
    about: "the only pod is deleted while kube-proxy stands still; then the rules follow, and source ports are used again",
    load: |bench| {
        let part = seconds_for(bench.cases, RATE) + 1;
        Load::new("/predict", RATE, 2 + 8 + part + 6 + 3 * part).with(&["--workers=200"])
    },
    prepare: one_serving_pod,
    inject,
};

/// A request to the pod that it answers after a minute: until then it does not end, for as long as it waits for open requests.
fn hold(network: &Network, pod: SocketAddr) -> Result<TcpStream> {
    network.within(|| {
        let mut stream = TcpStream::connect_timeout(&pod, Duration::from_secs(2)).context("the pod does not listen")?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nx-inference-delay-ms: 60000\r\n\r\n")?;
        Ok(stream)
    })?
}

fn inject(bench: &Bench<'_>) -> Result<Said> {
    let (node, service, pod) = (bench.node()?, bench.service()?, bench.only_pod("ml-inference")?);
    let (_, gateway) = bench.gateway()?;
    let address = at(pod.ip, POD_PORT);
    let _held = hold(&node, address)?;
    sleep(Duration::from_secs(2));
    let proxy = Frozen::freeze(bench.daemon("kube-proxy")?)?;
    let asked_ns = monotonic_ns();
    bench.kubectl(&["delete", "pod", &pod.name, "--wait=false"])?;

    node.wait_for(address, &[Met::Refused])?;
    let refused_ns = monotonic_ns();
    let mut last_refused_ns = refused_ns;
    loop {
        let before_ns = monotonic_ns();
        match node.dial(address)? {
            Met::Refused => last_refused_ns = before_ns,
            _ => break,
        }
        sleep(Duration::from_millis(5));
    }
    let silent_ns = monotonic_ns();
    sleep(Duration::from_secs(seconds_for(bench.cases, RATE) + 1));
    let thawed_ns = monotonic_ns();
    drop(proxy);
    node.wait_for(service, &[Met::Open])?;

    let ports = stale_ports(&node, service, pod.ip)?;
    let _range = Setting::change(&gateway, PORT_RANGE, &span(&ports)?)?;
    let stale_ns = monotonic_ns();
    // Each port is used at most once a second: an attempt that nobody answers keeps it for so long.
    sleep(Duration::from_secs(3 * (seconds_for(bench.cases, RATE) + 1)));
    let end_ns = monotonic_ns();

    let refused = format!("the injector's own dial to {address} was refused from the first moment to the last");
    let silent = format!("from its own dial to {address} not being answered until kube-proxy went on");
    let stale = format!(
        "its own dial showed that the rules lead to a living pod again, {} entries in SYN_SENT led to {}, and the gateway had only their ports",
        ports.len(),
        pod.ip
    );
    Ok(Said {
        truths: vec![
            window("refused_by_terminated_pod", refused_ns, last_refused_ns.saturating_sub(5 * MS), refused),
            window("unanswered_pod_ip", silent_ns, thawed_ns, silent),
            Truth {
                cause: "stale_nat_entry",
                hits: Hits::FailedIn(Window { from_ns: stale_ns, to_ns: end_ns }),
                why: stale,
            },
        ],
        unsure: vec![
            Window { from_ns: asked_ns - 50 * MS, to_ns: stale_ns },
            Window { from_ns: end_ns, to_ns: u64::MAX },
        ],
        ..Said::default()
    })
}

/// Source ports whose entries nobody has answered and that lead to this address.
fn stale_ports(node: &Network, service: SocketAddr, dead: std::net::IpAddr) -> Result<Vec<u16>> {
    let list = ["-L", "-p", "tcp", "--state", "SYN_SENT", "--orig-dst", &service.ip().to_string()];
    let list = node.run("conntrack", &list)?;
    let mut ports: Vec<u16> = list
        .lines()
        .filter(|line| line.contains(&format!("src={dead} ")))
        .filter_map(|line| line.split_whitespace().find_map(|word| word.strip_prefix("sport="))?.parse().ok())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ensure!(ports.len() >= 20, "only {} unanswered attempts left an entry", ports.len());
    Ok(ports)
}

/// The span in which half of these ports are densest.
fn span(ports: &[u16]) -> Result<String> {
    let wanted = (ports.len() / 2).max(20).min(ports.len());
    let densest = ports.windows(wanted).min_by_key(|span| span[wanted - 1] - span[0]).context("no ports")?;
    Ok(format!("{} {}", densest[0], densest[wanted - 1]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_span_is_where_the_ports_are() {
        let ports: Vec<u16> = (100..120).chain((5_000..5_040).step_by(2)).collect();
        assert_eq!(super::span(&ports).unwrap(), "100 119");
    }
}
