//! A pod ends while requests are at it.

use std::time::Duration;

use super::{HELD_MS, Injector, MS, held, one_serving_pod, until_all_are_held, window};
use crate::truth::{
    bench::POD_PORT,
    judge::{Said, Window},
    node::{Met, PodProcess, at, monotonic_ns},
};

/// For how long the serving program waits for open requests once it is asked to end.
const DRAIN: Duration = Duration::from_secs(5);

/// The serving process is killed under the requests.
pub const KILLED: Injector = Injector {
    name: "cut-by-kill",
    causes: &["cut_in_flight"],
    about: "every request is held at the pod for 9.5 s; its process is killed under them",
    load: held,
    prepare: one_serving_pod,
    inject: |bench| {
        let pod = bench.only_pod("ml-inference")?;
        let process = PodProcess::find(&pod.uid, "inference")?;
        until_all_are_held();
        let killed_ns = monotonic_ns();
        process.kill()?;
        let why = format!("process {} of pod {} was killed while it held them", process.0, pod.name);
        Ok(Said {
            truths: vec![window("cut_in_flight", killed_ns - (HELD_MS - 500) * MS, killed_ns - 50 * MS, why)],
            unsure: vec![Window { from_ns: 0, to_ns: u64::MAX }],
            ..Said::default()
        })
    },
};

/// The pod is deleted, and its program does not wait long enough.
pub const DELETED: Injector = Injector {
    name: "cut-by-deletion",
    causes: &["cut_in_flight"],
    about: "every request is held at the pod for 9.5 s; it is deleted, and its program waits 5 s for open requests",
    load: held,
    prepare: one_serving_pod,
    inject: |bench| {
        let (node, pod) = (bench.node()?, bench.only_pod("ml-inference")?);
        until_all_are_held();
        let asked_ns = monotonic_ns();
        bench.kubectl(&["delete", "pod", &pod.name, "--wait=false"])?;
        node.wait_for(at(pod.ip, POD_PORT), &[Met::Refused, Met::Silence])?;
        let cut_ns = monotonic_ns() + DRAIN.as_nanos() as u64;
        let why = format!("pod {} was deleted while it held them, and gave up 5 s later", pod.name);
        Ok(Said {
            truths: vec![window("cut_in_flight", cut_ns - (HELD_MS - 500) * MS, asked_ns - 20 * MS, why)],
            unsure: vec![Window { from_ns: 0, to_ns: u64::MAX }],
            ..Said::default()
        })
    },
};
