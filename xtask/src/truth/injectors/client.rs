//! The client's own machine is at its end.

use std::{thread::sleep, time::Duration};

use super::{Injector, nothing};
use crate::truth::{
    bench::{Load, seconds_for},
    judge::{Hits, Said, Truth, Window},
    node::{Network, PORT_RANGE, Setting},
};

const RATE: u32 = 50;
/// Source ports that are left to the client.
const PORTS: u64 = 40;

/// Every port is taken by a request that is held.
pub const OUT_OF_PORTS: Injector = Injector {
    name: "client-out-of-ports",
    causes: &["client_out_of_ports"],
    about: "the client has 40 source ports, and its first 40 requests are held for 9.5 s",
    load: |bench| {
        Load::new("/truth/held", RATE, seconds_for(bench.cases + 2 * PORTS, RATE).min(8) + 1).with(&["--workers=500"])
    },
    prepare: nothing,
    inject: |bench| {
        let client = Network::open("/run/netns/pw-client".as_ref())?;
        let _range = Setting::change(&client, PORT_RANGE, &format!("50001 {}", 50_000 + PORTS))?;
        // Until the last one has been sent.
        sleep(Duration::from_secs(seconds_for(bench.cases + 2 * PORTS, RATE).min(8) + 3));
        let why = format!("the client's network has {PORTS} source ports, and nothing else was done to anyone");
        let all = Window { from_ns: 0, to_ns: u64::MAX };
        let truth = Truth { cause: "client_out_of_ports", hits: Hits::FailedIn(all), why };
        Ok(Said { truths: vec![truth], ..Said::default() })
    },
};
