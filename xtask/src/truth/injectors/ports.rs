//! A machine, or a pod, that has no source ports left: the client's, or the gateway's.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{Injector, nothing};
use crate::truth::{
    bench::{Bench, Load, seconds_for},
    judge::{Hits, Said, Truth, Window},
    node::{Network, PORT_RANGE, Setting},
};

const RATE: u32 = 50;
/// Source ports that are left.
const PORTS: u64 = 40;

/// Every port of the client's is taken by a request that is held.
pub const OUT_OF_PORTS: Injector = Injector {
    name: "client-out-of-ports",
    causes: &["client_out_of_ports"],
    about: "the client has 40 source ports, and its first 40 requests are held for 9.5 s",
    load,
    prepare: nothing,
    inject: |bench| leave_few(bench, &Network::open("/run/netns/pw-client".as_ref())?, "client_out_of_ports", "client"),
};

/// Every port of the gateway's is taken by a request that is held at the pod.
pub const GATEWAY_OUT_OF_PORTS: Injector = Injector {
    name: "gateway-out-of-ports",
    causes: &["gateway_out_of_ports"],
    about: "the gateway has 40 source ports, and its first 40 requests are held at the pod for 9.5 s",
    load,
    prepare: nothing,
    inject: |bench| leave_few(bench, &bench.gateway()?.1, "gateway_out_of_ports", "gateway"),
};

fn seconds(bench: &Bench<'_>) -> u64 {
    seconds_for(bench.cases + 2 * PORTS, RATE).min(8)
}

fn load(bench: &Bench<'_>) -> Load {
    Load::new("/truth/held", RATE, seconds(bench) + 1).with(&["--workers=500"])
}

fn leave_few(bench: &Bench<'_>, network: &Network, cause: &'static str, whose: &str) -> Result<Said> {
    let _range = Setting::change(network, PORT_RANGE, &format!("50001 {}", 50_000 + PORTS))?;
    // Until the last one has been sent.
    sleep(Duration::from_secs(seconds(bench) + 3));
    let why = format!("the {whose}'s network has {PORTS} source ports, and nothing else was done to anyone");
    let all = Window { from_ns: 0, to_ns: u64::MAX };
    Ok(Said { truths: vec![Truth { cause, hits: Hits::FailedIn(all), why }], ..Said::default() })
}
