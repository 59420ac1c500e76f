//! What every raw run has: its own file, and that of one observer.

use std::collections::BTreeMap;

use loadgen::raw::{ClockOffset, EndedBy, Environment, ObserverFile, RunConfig, RunFile, Schedule};
use observer::api::{Clock, Cost, Loss, RecordsEnd, Run, Status};

use super::wire::Wire;
use super::world::{NODE, RUN_ID, at};
use super::{NODE_AHEAD_NS, START_NS};

pub fn raw(experiment: &str) -> Wire {
    Wire {
        run: RunFile {
            schema_version: 1,
            tool_version: "0.1.0".into(),
            experiment: experiment.into(),
            id: RUN_ID.into(),
            command: vec!["loadgen".into(), experiment.into()],
            anchor_realtime_ns: 1_790_000_000_000_000_000,
            anchor_monotonic_ns: START_NS,
            started_ns: START_NS,
            ended_ns: at(2_000.0),
            ended_by: EndedBy::Schedule,
            config: RunConfig {
                url: "http://192.168.1.2:30080/predict".into(),
                namespace: "mlops-lab".into(),
                gateway_service: "api-gateway".into(),
                gateway_deployment: "api-gateway".into(),
                upstream_service: "ml-inference".into(),
                upstream_deployment: "ml-inference".into(),
                schedule: Schedule::Constant { rate_per_s: 250.0, duration_s: 2.0 },
                workers: 16,
                connection_per_request: true,
                connect_timeout_ms: 3_000,
                timeout_ms: 10_000,
                experiment: BTreeMap::new(),
            },
            environment: Environment::default(),
            sent: 0,
            client_records_dropped: 0,
            goose: None,
            shards: Vec::new(),
            warnings: Vec::new(),
        },
        client: Vec::new(),
        lags: Vec::new(),
        timeline: Vec::new(),
        records: Vec::new(),
        observers: Vec::new(),
        warnings: Vec::new(),
    }
}

pub fn observer(records: u64) -> ObserverFile {
    let status = |now_ns: u64, cpu_ns: u64| Status {
        version: "0.1.0".into(),
        node: NODE.into(),
        kernel: "6.18.0".into(),
        boot_id: "boot".into(),
        started_ns: 1,
        now_ns,
        canary_seen: true,
        cgroup: "/sys/fs/cgroup".into(),
        programs: Vec::new(),
        watches: Vec::new(),
        ports: Vec::new(),
        loss: Loss::default(),
        cost: Cost { cpu_ns, wall_ns: now_ns, rss_bytes: 20 << 20, bpf_ns: None, bpf_runs: None, exchanges: 0 },
        counters: BTreeMap::new(),
        hops: Vec::new(),
        runs: Vec::new(),
    };
    ObserverFile {
        node: NODE.into(),
        before: status(1_000_000_000, 10_000_000),
        after: Some(status(3_000_000_000, 50_000_000)),
        run: Some(Run {
            id: RUN_ID.into(),
            client: "loadgen".into(),
            opened_ns: 1,
            closed_ns: Some(2),
            records,
            records_dropped: 0,
        }),
        records_end: Some(RecordsEnd { record: "end".into(), records, loss: BTreeMap::new() }),
        clock: ClockOffset {
            node: Clock { node: NODE.into(), boot_id: "boot".into(), monotonic_ns: 0, realtime_ns: 0 },
            offset_ns: NODE_AHEAD_NS,
            error_bound_ns: 0,
            same_machine: true,
        },
        clock_after: None,
        problems: Vec::new(),
    }
}
