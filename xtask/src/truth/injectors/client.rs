//! The load generator itself is late. The report must not blame the cluster for it.

use super::slow::{Late, Pulses, RATE};
use super::{Injector, MS, nothing, window};
use crate::truth::{
    bench::{Load, seconds_for},
    judge::{Said, Window},
    node::{Frozen, child, monotonic_ns},
};

const LATE_RATE: u32 = 30;

/// Two workers can send 6.7 requests a second, and 30 are due.
pub const LATE_SENDER: Injector = Injector {
    name: "late-sender",
    causes: &["late_sender"],
    about: "each request takes 0.3 s, and there are two workers for 30 requests a second",
    load: |bench| Load::new("/truth/late", LATE_RATE, seconds_for(bench.cases + 40, LATE_RATE)).with(&["--workers=2"]),
    prepare: nothing,
    inject: |_| {
        let begun_ns = monotonic_ns();
        // Of those sent t after the start, 30 t / 6.7 were due when 1 was sent: they are late by 0.78 t, more than twice their 0.3 s.
        let from_ns = begun_ns + 2_500 * MS;
        let why = "two workers, each busy for 0.3 s with a request, and 30 requests a second are due".to_owned();
        let unsure = vec![Window { from_ns: 0, to_ns: from_ns }];
        Ok(Said { truths: vec![window("late_sender", from_ns, u64::MAX, why)], unsure, ..Said::default() })
    },
};

/// Each request is at the pod for 0.15 s: the answers of those that were sent shortly before the load generator is stopped lie there for
/// most of that time.
const CLIENT_STOPPED: Pulses = Pulses {
    cause: "late_client",
    length_ms: 700,
    late: Late::Before { first_ms: 130, last_ms: 20 },
    period_ms: 2_000,
};

/// The answer is there, and nobody reads it.
pub const LATE_CLIENT: Injector = Injector {
    name: "client-frozen",
    causes: &["late_client"],
    about: "the load generator is stopped for 0.7 s, while pods have its requests, again and again",
    load: |bench| CLIENT_STOPPED.load(bench, "/truth/held-briefly"),
    prepare: nothing,
    inject: |bench| {
        let pid = child("loadgen")?;
        CLIENT_STOPPED.run(bench, "SIGSTOP to the load generator", || Frozen::freeze(pid))
    },
};

/// Longer than the client's patience. What lies there is good, and came in time.
const STALLED: Pulses = Pulses { cause: "client_stalled", length_ms: 1_700, period_ms: 3_500, ..CLIENT_STOPPED };

/// The answer is there, and nobody reads it until the client's patience has ended.
pub const CLIENT_STALLED: Injector = Injector {
    name: "client-stalled",
    causes: &["client_stalled"],
    about: "the load generator, which waits 1 s, is stopped for 1.7 s while pods have its requests, again and again",
    load: |bench| {
        let patience = ["--workers=300", "--connect-timeout=1s", "--timeout=1s"];
        Load::new("/truth/held-briefly", RATE, STALLED.seconds(bench)).with(&patience)
    },
    prepare: nothing,
    inject: |bench| {
        let pid = child("loadgen")?;
        let why = "SIGSTOP to the load generator for longer than its --timeout";
        let mut said = STALLED.run(bench, why, || Frozen::freeze(pid))?;
        // On a busy node a request that was sent earlier is under way as well.
        said.unsure.iter_mut().for_each(|window| window.from_ns -= 1_000 * MS);
        Ok(said)
    },
};
