//! The injectors: each does one thing to requests on purpose, and knows to which.

mod answers;
mod client;
mod cut;
mod deletion;
mod endpoints;
mod gateway;
mod kept;
mod loss;
mod ports;
pub mod slow;

use anyhow::Result;

use super::{
    bench::{Bench, Load},
    judge::{Hits, Said, Truth, Window},
};

/// One way to make requests fail, or slow.
pub struct Injector {
    /// Its name, and that of its run's folder.
    pub name: &'static str,
    /// Causes that it produces.
    pub causes: &'static [&'static str],
    /// What it does, for the reader.
    pub about: &'static str,
    /// The load that it wants.
    pub load: fn(&Bench<'_>) -> Load,
    /// Before the load.
    pub prepare: fn(&Bench<'_>) -> Result<()>,
    /// Under load.
    pub inject: fn(&Bench<'_>) -> Result<Said>,
}

impl Injector {
    /// Why it cannot be used here. Without pressure stall information nobody can tell who waited for a CPU.
    pub fn impossible(&self) -> Option<&'static str> {
        let told = std::path::Path::new("/proc/pressure/cpu").exists();
        (self.name == slow::CPU_PRESSURE.name && !told).then_some("this kernel tells no pressure (boot it with psi=1)")
    }

    /// What it hits succeeds, but late.
    pub fn is_slow(&self) -> bool {
        self.causes.iter().all(|cause| slow::CAUSES.contains(cause))
    }
}

/// All of them.
pub const ALL: &[Injector] = &[
    answers::POD_5XX,
    answers::REQUEST_ERROR,
    answers::GATEWAY_ERROR,
    answers::POD_TOO_SLOW,
    answers::CLIENT_TIMEOUT,
    ports::OUT_OF_PORTS,
    ports::GATEWAY_OUT_OF_PORTS,
    endpoints::NO_READY_ENDPOINT,
    deletion::DEAD_POD,
    cut::KILLED,
    cut::DELETED,
    kept::STALE_KEEPALIVE,
    gateway::DELETED,
    gateway::KILLED,
    loss::GATEWAY_TO_POD,
    loss::CLIENT_TO_GATEWAY,
    loss::CLIENT_TO_NODE,
    slow::SLOW_POD,
    slow::CPU_THROTTLED,
    slow::CPU_PRESSURE,
    slow::SYN_TO_POD,
    slow::SYN_TO_GATEWAY,
    slow::RETRIED,
    slow::QUEUED_AT_GATEWAY,
    slow::SLOW_GATEWAY,
    slow::QUEUED_AT_POD,
    client::LATE_SENDER,
    client::LATE_CLIENT,
    client::CLIENT_STALLED,
];

const MS: u64 = 1_000_000;

#[expect(clippy::unnecessary_wraps, reason = "what others have to prepare can fail")]
fn nothing(_: &Bench<'_>) -> Result<()> {
    Ok(())
}

/// Two serving pods fewer: what is done to the one is done to all requests.
fn one_serving_pod(bench: &Bench<'_>) -> Result<()> {
    bench.scale("ml-inference", 1)
}

/// `x-inference-delay-ms` of the gateway's location `held`.
const HELD_MS: u64 = 9_500;
/// For how long requests are sent that are then held.
const HELD_S: u64 = 3;

/// Every request is held at the pod, and the load has ended before the first is answered.
fn held(bench: &Bench<'_>) -> Load {
    // A fifth more than wanted: those at the edges are not judged.
    let rate = (bench.cases * 6 / 5).div_ceil(HELD_S).max(50) as u32;
    Load::new("/truth/held", rate, HELD_S).with(&["--workers=1000"])
}

/// Until the load of [`held`] has ended.
fn until_all_are_held() {
    std::thread::sleep(std::time::Duration::from_millis(HELD_S * 1_000 + 900));
}

fn window(cause: &'static str, from_ns: u64, to_ns: u64, why: String) -> Truth {
    Truth { cause, hits: Hits::Window(Window { from_ns, to_ns }), why }
}
