//! Faults that the gateway's configuration deals out by the last digit of the trace id: exactly half of all requests.

use super::{Injector, nothing};
use crate::truth::{
    bench::{Bench, Load, seconds_for},
    judge::{Hits, Said, Truth},
};

const RATE: u32 = 60;

/// Half of the requests are hit.
fn load(bench: &Bench<'_>, path: &'static str) -> Load {
    Load::new(path, RATE, seconds_for(2 * bench.cases, RATE) + 1)
}

fn by_digit(cause: &'static str, what: &str) -> Said {
    let why = format!("the gateway's configuration does it to trace ids that end in 0 to 7: {what}");
    Said { truths: vec![Truth { cause, hits: Hits::TraceDigit, why }], ..Said::default() }
}

/// The pod answers 500.
pub const POD_5XX: Injector = Injector {
    name: "pod-5xx",
    causes: &["pod_5xx"],
    about: "the pod itself answers half of the requests with 500",
    load: |bench| load(bench, "/truth/pod-5xx"),
    prepare: nothing,
    inject: |_| Ok(by_digit("pod_5xx", "x-inference-fail-status: 500")),
};

/// The pod answers 404.
pub const REQUEST_ERROR: Injector = Injector {
    name: "request-error",
    causes: &["request_error"],
    about: "the pod answers half of the requests with 404",
    load: |bench| load(bench, "/truth/request-error"),
    prepare: nothing,
    inject: |_| Ok(by_digit("request_error", "x-inference-fail-status: 404")),
};

/// The gateway answers 503 by itself.
pub const GATEWAY_ERROR: Injector = Injector {
    name: "gateway-error",
    causes: &["gateway_error"],
    about: "the gateway answers half of the requests with 503 and asks no pod",
    load: |bench| load(bench, "/truth/gateway-error"),
    prepare: nothing,
    inject: |_| Ok(by_digit("gateway_error", "return 503")),
};

/// The gateway's patience ends first.
pub const POD_TOO_SLOW: Injector = Injector {
    name: "pod-too-slow",
    causes: &["pod_too_slow"],
    about: "the pod takes 1.5 s for half of the requests, the gateway waits 0.5 s",
    load: |bench| load(bench, "/truth/pod-too-slow").with(&["--workers=200"]),
    prepare: nothing,
    inject: |_| Ok(by_digit("pod_too_slow", "x-inference-delay-ms: 1500, proxy_read_timeout 500ms")),
};

/// The client's patience ends first.
pub const CLIENT_TIMEOUT: Injector = Injector {
    name: "client-timeout",
    causes: &["client_timeout"],
    about: "the pod takes 3 s for half of the requests, the client waits 1 s",
    load: |bench| load(bench, "/truth/client-timeout").with(&["--workers=200", "--connect-timeout=1s", "--timeout=1s"]),
    prepare: nothing,
    inject: |_| Ok(by_digit("client_timeout", "x-inference-delay-ms: 3000, and the client's --timeout is 1 s")),
};
