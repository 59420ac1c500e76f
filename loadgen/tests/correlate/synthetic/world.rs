//! One node with a gateway pod and three serving pods, and the requests of a run.

use std::collections::BTreeMap;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use loadgen::raw::{ClientRequest, ContainerState, Endpoint, GooseCheck, Subject, TimelineEntry};
use observer::record::{
    Close, Connection, Exchange, Hop, Nat, NatSource, PodRef, Pressure, Record, SocketCall, SocketCallKind, Throttling,
    Translation,
};

use super::clocks::on_node;
use super::frame::{observer, raw};
use super::records::{connection, exchange};
use super::wire::Wire;
use super::{Flow, START_NS, Try};

pub const RUN_ID: &str = "00c0ffee00c0ffee";
pub const NODE: &str = "node-1";
const GATEWAY_SERVICE: &str = "10.96.0.10:80";
const UPSTREAM_SERVICE: &str = "10.96.0.20:5000";

/// Milliseconds after the start, on our clock.
pub fn at(ms: f64) -> u64 {
    START_NS.checked_add_signed((ms * 1e6) as i64).unwrap()
}

/// A pod of the lab by its name: its UID is made of it.
pub fn pod_ref(name: &str) -> PodRef {
    PodRef { namespace: "mlops-lab".into(), name: name.into(), uid: format!("uid-{name}") }
}

/// One node and everything on it.
pub struct World {
    pub raw: Wire,
    records: Vec<Record>,
    addresses: BTreeMap<String, Ipv4Addr>,
    pods: BTreeMap<String, PodState>,
    endpoints: BTreeMap<String, Vec<Endpoint>>,
    next_cookie: u64,
    next_port: u16,
}

#[derive(Clone)]
struct PodState {
    ready: bool,
    terminating: bool,
    app: &'static str,
    containers: Vec<ContainerState>,
}

impl World {
    /// Gateway `gw`, serving pods `a`, `b`, `c`, all ready a minute before the start.
    pub fn new(experiment: &str) -> Self {
        let mut world = Self {
            raw: raw(experiment),
            records: Vec::new(),
            addresses: BTreeMap::new(),
            pods: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            next_cookie: 1_000,
            next_port: 30_000,
        };
        world.pod(-60_000.0, "gw", "api-gateway");
        for name in ["a", "b", "c"] {
            world.pod(-60_000.0, name, "ml-inference");
        }
        world
    }

    /// A pod that is there and ready from then on.
    pub fn pod(&mut self, ms: f64, name: &str, app: &'static str) {
        let last = self.addresses.len() as u8 + 10;
        self.addresses.insert(name.into(), Ipv4Addr::new(10, 244, 0, last));
        let container =
            ContainerState { name: "main".into(), image: "image:1".into(), state: "running".into(), restarts: 0 };
        self.pods.insert(name.into(), PodState { ready: true, terminating: false, app, containers: vec![container] });
        self.tell_pod(ms, name, false);
        self.set_endpoint(ms, name, true);
    }

    /// We ask to delete a pod; the watch shows it, its endpoint goes, and after `gone_after_ms` it is gone.
    pub fn delete(&mut self, ms: f64, name: &str, gone_after_ms: f64) {
        self.push(
            ms + 5.0,
            Subject::Action {
                name: "delete_pod".into(),
                target: format!("pod/{name}"),
                uid: Some(format!("uid-{name}")),
                requested_ns: at(ms),
                detail: "grace 30 s".into(),
            },
        );
        self.terminate(ms + 10.0, name, gone_after_ms - 10.0);
    }

    /// Somebody else deletes a pod, as a rollout does.
    pub fn terminate(&mut self, ms: f64, name: &str, gone_after_ms: f64) {
        let state = self.pods.get_mut(name).unwrap();
        state.terminating = true;
        self.tell_pod(ms, name, false);
        self.set_endpoint(ms + 25.0, name, false);
        self.pods.get_mut(name).unwrap().ready = false;
        self.tell_pod(ms + gone_after_ms, name, true);
    }

    /// A container of it ends with that reason, and the pod is not ready.
    pub fn container_ends(&mut self, ms: f64, name: &str, how: &str) {
        let state = self.pods.get_mut(name).unwrap();
        state.ready = false;
        state.containers[0].state = format!("terminated:{how}");
        self.tell_pod(ms, name, false);
    }

    /// A container of it is running again, and the watch never showed it ended.
    pub fn container_restarts(&mut self, ms: f64, name: &str) {
        let state = self.pods.get_mut(name).unwrap();
        state.containers[0].restarts += 1;
        self.tell_pod(ms, name, false);
    }

    pub fn event(&mut self, ms: f64, reason: &str, name: &str, message: &str, count: i32) {
        self.push(
            ms,
            Subject::Event {
                reason: reason.into(),
                kind: "Warning".into(),
                message: message.into(),
                object: format!("pod/{name}"),
                uid: Some(format!("uid-{name}")),
                count,
            },
        );
    }

    pub fn push(&mut self, ms: f64, subject: Subject) {
        self.raw.timeline.push(TimelineEntry { at_ns: at(ms), subject });
        self.raw.timeline.sort_by_key(|entry| entry.at_ns);
    }

    fn tell_pod(&mut self, ms: f64, name: &str, deleted: bool) {
        let state = self.pods[name].clone();
        self.push(
            ms,
            Subject::Pod {
                name: name.into(),
                uid: format!("uid-{name}"),
                ip: Some(IpAddr::V4(self.addresses[name])),
                node: Some(NODE.into()),
                phase: "Running".into(),
                ready: state.ready && !deleted,
                terminating: state.terminating,
                deleted,
                owner: Some(format!("ReplicaSet/{}-1", state.app)),
                revision: Some("1".into()),
                version: None,
                app: Some(state.app.into()),
                containers: state.containers,
            },
        );
    }

    /// Sets a pod's endpoint ready, or takes it out: on its way out, and still answering.
    pub fn set_endpoint(&mut self, ms: f64, name: &str, ready: bool) {
        let service = self.pods[name].app.to_owned();
        let endpoint = Endpoint {
            ip: IpAddr::V4(self.addresses[name]),
            pod: Some(name.into()),
            uid: Some(format!("uid-{name}")),
            ready,
            serving: true,
            terminating: !ready,
        };
        let list = self.endpoints.entry(service.clone()).or_default();
        list.retain(|other| other.ip != endpoint.ip);
        list.push(endpoint);
        let endpoints = list.clone();
        self.push(ms, Subject::Endpoints { service, endpoints });
    }

    /// A Service loses all its endpoints.
    pub fn no_endpoints(&mut self, ms: f64, service: &str) {
        self.endpoints.insert(service.into(), Vec::new());
        self.push(ms, Subject::Endpoints { service: service.into(), endpoints: Vec::new() });
    }

    /// The next request: a success at `pod`, sent at `ms`, answered 2.2 ms later.
    pub fn flow(&mut self, ms: f64, pod: &str) -> Flow {
        let seq = self.raw.run.sent;
        self.raw.run.sent += 1;
        let sent_ns = at(ms);
        let gateway: SocketAddr = GATEWAY_SERVICE.parse().unwrap();
        let client: SocketAddr = SocketAddr::from(([192, 168, 1, 9], self.port()));
        let seen: SocketAddr = SocketAddr::from(([10, 244, 0, 1], self.port()));
        let listener = SocketAddr::from((self.addresses["gw"], 80));
        let trace_id = format!("{RUN_ID}{seq:016x}");
        let us = |us: u64| sent_ns + us * 1_000;
        let front_cookie = self.cookie();
        let front = Exchange {
            request_read_ns: Some(us(500)),
            response_start_ns: Some(us(1_850)),
            response_end_ns: Some(us(1_900)),
            ..exchange(front_cookie, Hop::Front, listener, seen, &trace_id, "gw", us(400))
        };
        let front_conn = Connection {
            established_ns: Some(us(200)),
            closed_ns: Some(us(2_400)),
            close: Some(Close::FinRemote),
            ..connection(front_cookie, Hop::Front, listener, seen, "gw", us(200))
        };
        let nat = Nat {
            dialled: gateway,
            chosen: listener,
            source_seen: seen,
            pod: Some(pod_ref("gw")),
            created_ns: us(100),
            source: NatSource::New,
            entries: 1,
            expired: None,
        };
        let attempt = self.attempt(&front, pod, us(600));
        Flow {
            client: ClientRequest {
                seq,
                trace_id,
                due_ns: sent_ns,
                sent_ns,
                headers_ns: Some(us(2_100)),
                end_ns: us(2_200),
                status: Some(200),
                error: None,
                local: Some(client),
                remote: Some(gateway),
                pod_name: Some(pod.into()),
                version: None,
                body_bytes: 64,
                starved: false,
                worker: 0,
            },
            translation: Some(Translation { node: NODE.into(), client, nat }),
            front_conn: Some(front_conn),
            front: Some(front),
            tries: vec![attempt],
        }
    }

    /// A successful attempt at `pod` for the request of `front`, dialled at `opened_ns`.
    pub fn attempt(&mut self, front: &Exchange, pod: &str, opened_ns: u64) -> Try {
        let us = |us: u64| opened_ns + us * 1_000;
        let source = SocketAddr::from((self.addresses["gw"], self.port()));
        let service: SocketAddr = UPSTREAM_SERVICE.parse().unwrap();
        let listener = SocketAddr::from((self.addresses[pod], 5000));
        let trace_id = front.trace_id.clone().unwrap();
        let (cookie, pod_cookie) = (self.cookie(), self.cookie());
        Try {
            conn: Some(Connection {
                nat: Some(Nat {
                    dialled: service,
                    chosen: listener,
                    source_seen: source,
                    pod: Some(pod_ref(pod)),
                    created_ns: us(20),
                    source: NatSource::New,
                    entries: 1,
                    expired: None,
                }),
                established_ns: Some(us(200)),
                closed_ns: Some(us(1_200)),
                close: Some(Close::FinRemote),
                opened_after: Some(SocketCall {
                    kind: SocketCallKind::Recv,
                    conn: front.conn,
                    exchange: Some(front.index),
                    at_ns: opened_ns - 100_000,
                }),
                thread: Some(77),
                ..connection(cookie, Hop::Upstream, source, service, "gw", opened_ns)
            }),
            exchange: Some(Exchange {
                response_start_ns: Some(us(1_050)),
                response_end_ns: Some(us(1_100)),
                response_read_ns: Some(us(1_150)),
                thread: Some(77),
                ..exchange(cookie, Hop::Upstream, source, service, &trace_id, "gw", us(300))
            }),
            pod_conn: Some(Connection {
                established_ns: Some(us(150)),
                closed_ns: Some(us(1_250)),
                close: Some(Close::FinLocal),
                ..connection(pod_cookie, Hop::Pod, listener, source, pod, us(150))
            }),
            pod_exchange: Some(Exchange {
                request_read_ns: Some(us(500)),
                response_start_ns: Some(us(900)),
                response_end_ns: Some(us(1_000)),
                ..exchange(pod_cookie, Hop::Pod, listener, source, &trace_id, pod, us(400))
            }),
        }
    }

    /// One more entry of a client's connection.
    pub fn translated(&mut self, translation: Translation) {
        self.records.push(Record::Translation(translation));
    }

    /// Adds a request.
    pub fn add(&mut self, flow: Flow) {
        self.raw.run.ended_ns = self.raw.run.ended_ns.max(flow.client.end_ns);
        self.raw.client.push(flow.client);
        self.records.extend(flow.translation.map(Record::Translation));
        self.records.extend(flow.front_conn.map(Record::Connection));
        self.records.extend(flow.front.map(Record::Exchange));
        for attempt in flow.tries {
            self.records.extend(attempt.conn.map(Record::Connection));
            self.records.extend(attempt.exchange.map(Record::Exchange));
            self.records.extend(attempt.pod_conn.map(Record::Connection));
            self.records.extend(attempt.pod_exchange.map(Record::Exchange));
        }
    }

    /// The agent saw a pod's CPU limit stop it for that long between two readings.
    pub fn stopped(&mut self, pod: &str, readings_ns: (u64, u64), stopped_us: u64) {
        self.stopped_by(0, pod, readings_ns, stopped_us);
    }

    /// The same with a limit that allows `quota_us` of every 100 ms. 0: not known.
    pub fn stopped_by(&mut self, quota_us: u64, pod: &str, readings_ns: (u64, u64), stopped_us: u64) {
        let (from_ns, to_ns) = readings_ns;
        let node = NODE.into();
        let pod = pod_ref(pod);
        let period_us = if quota_us > 0 { 100_000 } else { 0 };
        let (stopped_sum_us, periods) = (0, 1);
        let stop = Throttling { node, pod, from_ns, to_ns, stopped_us, stopped_sum_us, periods, quota_us, period_us };
        self.records.push(Record::Throttling(stop));
    }

    /// The agent saw that a pod had work and no CPU for that long between two readings.
    pub fn waited(&mut self, pod: &str, between_ns: (u64, u64), waited_us: u64) {
        self.fared(pod, between_ns, Some(waited_us), None);
    }

    /// The same, and that it ran. `None`: the kernel does not tell.
    pub fn fared(&mut self, pod: &str, (from_ns, to_ns): (u64, u64), waited_us: Option<u64>, ran_us: Option<u64>) {
        let pressure = Pressure { node: NODE.into(), pod: pod_ref(pod), from_ns, to_ns, waited_us, ran_us };
        self.records.push(Record::Pressure(pressure));
    }

    /// Adds a success.
    pub fn success(&mut self, ms: f64, pod: &str) {
        let flow = self.flow(ms, pod);
        self.add(flow);
    }

    /// What was added since it was last taken, the records on the node's clock.
    pub fn take(&mut self) -> (Vec<ClientRequest>, Vec<Record>) {
        let records = mem::take(&mut self.records);
        (mem::take(&mut self.raw.client), records.into_iter().map(on_node).collect())
    }

    /// The raw run, its records on the node's clock.
    pub fn finish(mut self) -> Wire {
        let (client, records) = self.take();
        self.raw.client = client;
        let count = records.len() as u64;
        self.raw.records = vec![(NODE.into(), records)];
        self.raw.observers = vec![observer(count)];
        let successes = self.raw.client.iter().filter(|client| client.succeeded()).count() as u64;
        self.raw.run.goose =
            Some(GooseCheck { requests: self.raw.run.sent, successes, failures: self.raw.run.sent - successes });
        self.raw
    }

    fn cookie(&mut self) -> u64 {
        self.next_cookie += 1;
        self.next_cookie
    }

    fn port(&mut self) -> u16 {
        self.next_port = if self.next_port == u16::MAX { 30_000 } else { self.next_port + 1 };
        self.next_port
    }
}
