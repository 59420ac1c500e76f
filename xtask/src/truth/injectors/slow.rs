//! Requests that succeed, but late. The report explains the slowest successes like failures, and is judged like that.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{Injector, MS, nothing, one_serving_pod, window};
use crate::truth::{
    bench::{Bench, GATEWAY_PORT, Load, POD_PORT, seconds_for},
    busy::Busy,
    judge::{Hits, Said, Truth, Window},
    node::{Frozen, PodProcess, Rules, monotonic_ns},
};

/// Why a request was slow. These are no causes of failures.
pub const CAUSES: &[&str] = &[
    "slow_pod",
    "slow_gateway",
    "cpu_throttled",
    "cpu_pressure",
    "syn_retransmit",
    "retried",
    "queued_at_gateway",
    "queued_at_pod",
    "late_sender",
    "late_client",
];

/// A good answer that took this long is slow: every injector takes more, and an idle lab a hundredth of it.
pub const SLOW_US: u64 = 250_000;

pub(super) const RATE: u32 = 60;

/// The same for a moment, again and again: what comes late must be over before the next.
pub(super) struct Pulses {
    pub cause: &'static str,
    /// How long it is done.
    pub length_ms: u64,
    /// Which requests are late by it.
    pub late: Late,
    /// From one to the next.
    pub period_ms: u64,
}

pub(super) enum Late {
    /// Those that are sent meanwhile, but for the last ones before its end, which are late by too little to be judged.
    During { but_last_ms: u64 },
    /// Those that are sent between so long and so long before it begins.
    Before { first_ms: u64, last_ms: u64 },
}

/// Requests this near to a pulse that are not surely late by it are not judged.
const EDGE_MS: u64 = 300;

impl Pulses {
    /// So many that the wanted cases come together.
    fn count(&self, bench: &Bench<'_>) -> u64 {
        let judged_ms = match self.late {
            Late::During { but_last_ms } => self.length_ms - but_last_ms,
            Late::Before { first_ms, last_ms } => first_ms - last_ms,
        };
        let in_one = u64::from(RATE) * judged_ms / 1_000;
        // Windows are cut at both edges: a fifth more.
        (bench.cases * 6 / 5).div_ceil(in_one)
    }

    pub fn load(&self, bench: &Bench<'_>, path: &'static str) -> Load {
        Load::new(path, RATE, self.seconds(bench)).with(&["--workers=300", "--connect-timeout=3s"])
    }

    /// For how long the load has to last.
    pub fn seconds(&self, bench: &Bench<'_>) -> u64 {
        (self.count(bench) * self.period_ms).div_ceil(1_000) + 4
    }

    /// `act` begins it, and the end of its guard ends it.
    pub fn run<G>(&self, bench: &Bench<'_>, why: &str, act: impl Fn() -> Result<G>) -> Result<Said> {
        let mut said = Said::default();
        sleep(Duration::from_secs(2));
        for _ in 0..self.count(bench) {
            let before_ns = monotonic_ns();
            let guard = act()?;
            let from_ns = monotonic_ns();
            sleep(Duration::from_millis(self.length_ms));
            let to_ns = monotonic_ns();
            drop(guard);
            let done_ns = monotonic_ns();
            let (first_ns, last_ns) = match self.late {
                Late::During { but_last_ms } => (from_ns + 2 * MS, to_ns - but_last_ms * MS),
                Late::Before { first_ms, last_ms } => (before_ns - first_ms * MS, before_ns - last_ms * MS),
            };
            said.truths.push(window(self.cause, first_ns, last_ns, why.to_owned()));
            // What was under way when it began, and what came too late to be late.
            said.unsure.push(Window { from_ns: before_ns - EDGE_MS * MS, to_ns: done_ns + EDGE_MS * MS });
            sleep(Duration::from_millis(self.period_ms - self.length_ms));
        }
        Ok(said)
    }
}

/// The pod takes its time.
pub const SLOW_POD: Injector = Injector {
    name: "slow-pod",
    causes: &["slow_pod"],
    about: "the pod takes 0.6 s for half of the requests",
    load: |bench| Load::new("/truth/slow-pod", RATE, seconds_for(2 * bench.cases, RATE) + 1).with(&["--workers=200"]),
    prepare: nothing,
    inject: |_| {
        let why = "the gateway's configuration asks the pod for it, for trace ids that end in 0 to 7".to_owned();
        Ok(Said { truths: vec![Truth { cause: "slow_pod", hits: Hits::TraceDigit, why }], ..Said::default() })
    },
};

/// Every request needs 80 ms of CPU, and its pod gets 20 ms of every 100.
pub const CPU_THROTTLED: Injector = Injector {
    name: "cpu-throttled",
    causes: &["cpu_throttled"],
    about: "the only pod's CPU limit is set to 0.2; every request needs 80 ms of CPU",
    load: |bench| Load::new("/truth/burn", BURN_RATE, burn_seconds(bench)).with(&["--workers=50"]),
    prepare: one_serving_pod,
    inject: |bench| {
        let pod = bench.only_pod("ml-inference")?;
        let resize = r#"{"spec":{"containers":[{"name":"ml-model","resources":{"limits":{"cpu":"200m"}}}]}}"#;
        let _limited = Limited { bench, pod: &pod.name };
        bench.kubectl(&["patch", "pod", &pod.name, "--subresource=resize", "--patch", resize])?;
        // The kubelet has to write the limit first.
        sleep(Duration::from_secs(4));
        let from_ns = monotonic_ns();
        sleep(Duration::from_secs(burn_seconds(bench)));
        let why = format!("pod {} burns 80 ms of CPU for each, and its limit is 20 ms in every 100 ms", pod.name);
        let unsure = vec![Window { from_ns: 0, to_ns: u64::MAX }];
        Ok(Said { truths: vec![window("cpu_throttled", from_ns, u64::MAX, why)], unsure, ..Said::default() })
    },
};

/// Every request needs 110 ms of CPU, which its pod may have, and others take.
pub const CPU_PRESSURE: Injector = Injector {
    name: "cpu-pressure",
    causes: &["cpu_pressure"],
    about: "others take all the CPU they get; every request needs 110 ms of CPU at the only pod",
    load: |bench| Load::new("/truth/burn-longer", ALONE_RATE, alone_seconds(bench)).with(&["--workers=50"]),
    prepare: one_serving_pod,
    inject: |bench| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        // Those that run beside the whole bench count as well.
        let _busy = Busy::start((processors * BUSY_FOR_EACH).saturating_sub(bench.busy))?;
        sleep(Duration::from_secs(1));
        let from_ns = monotonic_ns();
        sleep(Duration::from_secs(alone_seconds(bench)));
        // Of what is under way when the others end, a part is the pod's own work on processors that are free.
        let to_ns = monotonic_ns() - UNDER_WAY_NS;
        let why = format!(
            "each needs 110 ms of CPU, has no limit below 2 CPUs, and takes longer only while {BUSY_FOR_EACH} busy processes share each processor with it"
        );
        let unsure = vec![Window { from_ns: 0, to_ns: u64::MAX }];
        let hits = Hits::LateIn(Window { from_ns, to_ns });
        Ok(Said { truths: vec![Truth { cause: "cpu_pressure", hits, why }], unsure, ..Said::default() })
    },
};

/// Beside so many a pod gets about a fourth of a processor, since its share counts for more than one of theirs. Beside eight it got less than
/// its requests need on some days, and they piled up.
const BUSY_FOR_EACH: u32 = 6;

/// Longer than any of these requests takes.
const UNDER_WAY_NS: u64 = 3_000 * MS;

/// One request is answered before the next comes: they would wait for each other in the pod, which is no pressure.
const ALONE_RATE: u32 = 1;

const BURN_RATE: u32 = 2;

/// A third more than the wanted cases: a pod that is left without CPU for as long as the client waits is another cause's case.
fn alone_seconds(bench: &Bench<'_>) -> u64 {
    seconds_for(bench.cases * 4 / 3, ALONE_RATE) + 10
}

fn burn_seconds(bench: &Bench<'_>) -> u64 {
    seconds_for(bench.cases, BURN_RATE) + 10
}

/// A pod whose limit was changed makes room for one as its Deployment has it.
struct Limited<'b> {
    bench: &'b Bench<'b>,
    pod: &'b str,
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        let _ = self.bench.kubectl(&["delete", "pod", self.pod, "--wait=false"]);
    }
}

const LOST_SYN: Pulses =
    Pulses { cause: "syn_retransmit", length_ms: 500, late: Late::During { but_last_ms: 20 }, period_ms: 2_500 };

/// Between gateway and pod: the SYN is sent again after a second.
pub const SYN_TO_POD: Injector = Injector {
    name: "syn-to-pod",
    causes: &["syn_retransmit"],
    about: "SYNs of the gateway are dropped at the pod for half a second, again and again",
    load: |bench| LOST_SYN.load(bench, "/truth/patient-connect"),
    prepare: one_serving_pod,
    inject: |bench| drop_at_pod(bench, &LOST_SYN, "nftables dropped every SYN of the gateway to the pod"),
};

/// SYNs of the gateway never reach the only pod, which is well and ready.
fn drop_at_pod(bench: &Bench<'_>, pulses: &Pulses, why: &str) -> Result<Said> {
    let (pod, (gateway, _)) = (bench.only_pod("ml-inference")?, bench.gateway()?);
    let network = PodProcess::find(&pod.uid, "inference")?.network()?;
    let rule = format!("ip saddr {} tcp dport {POD_PORT} tcp flags & (syn | ack) == syn drop", gateway.ip);
    pulses.run(bench, why, || Rules::add(&network, "input", &[&rule]))
}

/// Between client and gateway.
pub const SYN_TO_GATEWAY: Injector = Injector {
    name: "syn-to-gateway",
    causes: &["syn_retransmit"],
    about: "SYNs of the client are dropped at the gateway's pod for half a second, again and again",
    load: |bench| LOST_SYN.load(bench, "/predict"),
    prepare: nothing,
    inject: |bench| {
        let (_, network) = bench.gateway()?;
        // Only a client's packet was forwarded: see `loss`.
        let rule = format!("ip ttl < 64 tcp dport {GATEWAY_PORT} tcp flags & (syn | ack) == syn drop");
        LOST_SYN.run(bench, "nftables dropped every SYN of the client to the gateway", || {
            Rules::add(&network, "input", &[&rule])
        })
    },
};

const DROPPED_ONCE: Pulses =
    Pulses { cause: "retried", length_ms: 300, late: Late::During { but_last_ms: 10 }, period_ms: 2_000 };

/// The gateway gives up the first attempt after 0.4 s, and the second gets through.
pub const RETRIED: Injector = Injector {
    name: "retried",
    causes: &["retried"],
    about: "SYNs are dropped at the pod for 0.3 s, again and again; the gateway tries again after 0.4 s",
    load: |bench| DROPPED_ONCE.load(bench, "/truth/retry"),
    prepare: one_serving_pod,
    inject: |bench| {
        let why = "nftables dropped the first attempt's SYN, and the gateway's patience is 0.4 s";
        drop_at_pod(bench, &DROPPED_ONCE, why)
    },
};

const FROZEN: Pulses = Pulses { cause: "", length_ms: 800, late: Late::During { but_last_ms: 300 }, period_ms: 2_500 };

/// The gateway's processes do nothing for a while.
pub const QUEUED_AT_GATEWAY: Injector = Injector {
    name: "gateway-frozen",
    causes: &["queued_at_gateway"],
    about: "the gateway's processes are stopped for 0.8 s, again and again",
    load: |bench| FROZEN.load(bench, "/predict"),
    prepare: nothing,
    inject: |bench| {
        let pod = bench.only_pod("api-gateway")?;
        let pulses = Pulses { cause: "queued_at_gateway", ..FROZEN };
        pulses.run(bench, "SIGSTOP to the gateway's processes", || freeze_all(&pod.uid, "nginx"))
    },
};

/// It does nothing while answers come back to it: they lie there for the rest of the 0.8 s.
pub const SLOW_GATEWAY: Injector = Injector {
    name: "gateway-frozen-later",
    causes: &["slow_gateway"],
    about: "the same, while requests are at the pod, which takes 0.15 s for each",
    load: |bench| ANSWERS_HELD.load(bench, "/truth/held-briefly"),
    prepare: nothing,
    inject: |bench| {
        let pod = bench.only_pod("api-gateway")?;
        let why = "SIGSTOP to the gateway's processes while the pod had the request";
        ANSWERS_HELD.run(bench, why, || freeze_all(&pod.uid, "nginx"))
    },
};

/// The pod takes 150 ms: what was sent then was at the pod by the time of the stop, and its answer came into it.
const ANSWERS_HELD: Pulses =
    Pulses { cause: "slow_gateway", late: Late::Before { first_ms: 130, last_ms: 20 }, ..FROZEN };

/// The pod's process does nothing for a while.
pub const QUEUED_AT_POD: Injector = Injector {
    name: "pod-frozen",
    causes: &["queued_at_pod"],
    about: "the serving pod's process is stopped for 0.8 s, again and again",
    load: |bench| FROZEN.load(bench, "/predict"),
    prepare: one_serving_pod,
    inject: |bench| {
        let pod = bench.only_pod("ml-inference")?;
        let pulses = Pulses { cause: "queued_at_pod", ..FROZEN };
        pulses.run(bench, "SIGSTOP to the pod's process", || freeze_all(&pod.uid, "inference"))
    },
};

fn freeze_all(uid: &str, program: &str) -> Result<Vec<Frozen>> {
    PodProcess::all(uid, program)?.into_iter().map(|process| Frozen::freeze(process.0)).collect()
}
