//! The conntrack reader and the NAT join on real packets: a node that translates a Service's address, a client behind it,
//! and backends that answer, refuse, or never answer.

#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used)]

mod support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use observer::clock::monotonic_ns;
use observer::nat::conntrack::{self, Learned, Report};
use observer::nat::{NatTable, Query, Tuple};
use observer::ports::PortSet;
use observer::record::NatSource;
use support::{Netns, is_root};

const SERVICE: &str = "10.96.0.2:5000";
const LIVE: &str = "10.8.0.2:5678";
const REFUSING: &str = "10.8.0.2:5679";
/// An address that packets can be sent to, and that drops them.
const DEAD: &str = "10.8.0.2:5680";
const CONNECT_WITHIN: Duration = Duration::from_millis(300);

/// A client, a node that routes and translates, and the backends.
struct World {
    node: Netns,
    client: Netns,
    backends: Netns,
}

impl World {
    fn new() -> Self {
        let (node, client, backends) = (Netns::new("node"), Netns::new("client"), Netns::new("backends"));
        node.cable(("c0", "10.9.0.1/24"), &client, ("eth0", "10.9.0.2/24"));
        node.cable(("b0", "10.8.0.1/24"), &backends, ("eth0", "10.8.0.2/24"));
        client.ip(&["route", "add", "default", "via", "10.9.0.1"]);
        backends.ip(&["route", "add", "default", "via", "10.8.0.1"]);
        node.forward();
        backends.nft("table ip t { chain i { type filter hook input priority 0; tcp dport 5680 drop; }; }");
        Self { node, client, backends }
    }

    /// From now on the Service leads there.
    fn lead_to(&self, backend: &str) {
        self.node.nft(&format!(
            "table ip t {{ chain p {{ type nat hook prerouting priority dstnat; ip daddr 10.96.0.2 tcp dport 5000 dnat to {backend}; }}; }}"
        ));
    }

    /// Connects from this source port; what came of it, and when it was called.
    fn connect(&self, source_port: u16, remote: &str) -> (io::Result<()>, Query) {
        self.client.run(|| connect(CONNECT_WITHIN, source_port, remote))
    }
}

fn connect(within: Duration, source_port: u16, remote: &str) -> (io::Result<()>, Query) {
    let local = SocketAddr::from(([10, 9, 0, 2], source_port));
    let remote: SocketAddr = remote.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let opened_ns = monotonic_ns();
    let result = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(local)?;
        let stream = tokio::time::timeout(within, socket.connect(remote)).await??;
        // A reset instead of TIME_WAIT, so that the source port is free at once.
        stream.set_zero_linger()?;
        Ok(())
    });
    let original = Tuple { src: local, dst: remote };
    (result, Query { original, opened_ns, conn: opened_ns, syn_retransmits: 0, last_syn_ns: opened_ns })
}

/// The reader in the node's namespace, and a table that is fed by it.
struct Watched {
    reports: Receiver<Report>,
    table: NatTable,
    made: Vec<Tuple>,
    overflows: u32,
}

impl Watched {
    fn new(world: &World, ports: &[u16]) -> Self {
        let set = Arc::new(PortSet::default());
        set.replace(ports.iter().copied());
        let (sender, reports) = channel();
        world.node.run(|| conntrack::spawn(set, move |report| sender.send(report).is_ok())).unwrap();
        Self::reading(reports)
    }

    fn reading(reports: Receiver<Report>) -> Self {
        let mut it = Self { reports, table: NatTable::default(), made: Vec::new(), overflows: 0 };
        it.read_until(monotonic_ns());
        it
    }

    /// Takes reports until everything that happened before then has been told.
    fn read_until(&mut self, at_ns: u64) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (learned, read_until_ns) = match self.reports.recv_timeout(left).expect("the reader tells") {
                Report::Batch { learned, read_until_ns } => (learned, read_until_ns),
                Report::Overflow => {
                    self.overflows += 1;
                    continue;
                }
                other => panic!("the reader failed: {other:?}"),
            };
            for each in learned {
                match each {
                    Learned::Made(entry, at_ns) => {
                        self.made.push(entry.original);
                        self.table.made(entry, at_ns);
                    }
                    Learned::Destroyed(entry, at_ns) => self.table.destroyed(&entry, at_ns),
                    Learned::Dumped(entry, at_ns) => self.table.dumped(entry, at_ns),
                    Learned::DumpDone { started_ns, ended_ns, lost_since_ns } => {
                        self.table.dump_done(started_ns, ended_ns, lost_since_ns);
                    }
                }
            }
            if let Some(read_ns) = read_until_ns {
                self.table.read_until(read_ns);
            }
            if read_until_ns.is_some_and(|read| read > at_ns) {
                return;
            }
        }
    }

    /// How the connection came to its backend, and which it was.
    fn applied(&mut self, query: &Query) -> Option<(NatSource, String)> {
        self.read_until(monotonic_ns());
        self.table.resolve(query).map(|applied| (applied.source, applied.entry.reply.src.to_string()))
    }

    fn made_by(&self, query: &Query) -> usize {
        self.made.iter().filter(|tuple| **tuple == query.original).count()
    }
}

#[test]
fn answered_refused_and_unanswered_attempts_show_their_backend() {
    if !is_root("answered_refused_and_unanswered_attempts_show_their_backend") {
        return;
    }
    let world = World::new();
    let _listener = world.backends.run(|| std::net::TcpListener::bind(LIVE)).unwrap();
    let mut watched = Watched::new(&world, &[5000]);
    let cases = [
        (LIVE, 40_001, None),
        (REFUSING, 40_002, Some(io::ErrorKind::ConnectionRefused)),
        (DEAD, 40_003, Some(io::ErrorKind::TimedOut)),
    ];
    for (backend, source_port, expected) in cases {
        world.lead_to(backend);
        let (result, query) = world.connect(source_port, SERVICE);
        assert_eq!(result.err().map(|error| error.kind()), expected, "{backend}");
        assert_eq!(watched.applied(&query), Some((NatSource::New, backend.to_owned())));
        assert_eq!(watched.made_by(&query), 1);
    }
}

/// The source port of an unanswered attempt is used again while its entry lives (`SYN_SENT`): the rule is right by now, but
/// it is not consulted, and the kernel makes no event.
#[test]
fn a_stale_entry_leads_to_the_dead_backend_although_the_rule_is_right() {
    if !is_root("a_stale_entry_leads_to_the_dead_backend_although_the_rule_is_right") {
        return;
    }
    let world = World::new();
    let _listener = world.backends.run(|| std::net::TcpListener::bind(LIVE)).unwrap();
    let mut watched = Watched::new(&world, &[5000]);
    world.lead_to(DEAD);
    let (first, first_query) = world.connect(40_010, SERVICE);
    assert_eq!(first.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(watched.applied(&first_query), Some((NatSource::New, DEAD.to_owned())));

    world.lead_to(LIVE);
    let (again, again_query) = world.connect(40_010, SERVICE);
    assert_eq!(again.unwrap_err().kind(), io::ErrorKind::TimedOut, "it went to the dead backend");
    assert_eq!(watched.applied(&again_query), Some((NatSource::Reused, DEAD.to_owned())));
    let created_ns = watched.table.resolve(&again_query).unwrap().made_ns;
    assert!(created_ns < again_query.opened_ns && created_ns > first_query.opened_ns, "the entry's own age is told");
    assert_eq!(watched.made_by(&first_query), 1, "no second event");

    let (fresh, fresh_query) = world.connect(40_011, SERVICE);
    fresh.unwrap();
    assert_eq!(watched.applied(&fresh_query), Some((NatSource::New, LIVE.to_owned())));
}

/// A source port that is used again after a refusal makes a new entry: the rule is consulted.
#[test]
fn a_source_port_used_again_after_a_refusal_is_new() {
    if !is_root("a_source_port_used_again_after_a_refusal_is_new") {
        return;
    }
    let world = World::new();
    let _listener = world.backends.run(|| std::net::TcpListener::bind(LIVE)).unwrap();
    let mut watched = Watched::new(&world, &[5000]);
    world.lead_to(REFUSING);
    let (first, first_query) = world.connect(40_020, SERVICE);
    assert_eq!(first.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(watched.applied(&first_query), Some((NatSource::New, REFUSING.to_owned())));
    world.lead_to(LIVE);
    let (again, again_query) = world.connect(40_020, SERVICE);
    again.unwrap();
    assert_eq!(watched.applied(&again_query), Some((NatSource::New, LIVE.to_owned())));
    assert_eq!(watched.made_by(&first_query), 2);
}

#[test]
fn entries_older_than_the_reader_come_from_its_dump_and_other_ports_stay_out() {
    if !is_root("entries_older_than_the_reader_come_from_its_dump_and_other_ports_stay_out") {
        return;
    }
    let world = World::new();
    world.lead_to(DEAD);
    let (_, older) = world.connect(40_030, SERVICE);
    let (_, other) = world.connect(40_031, "10.8.0.2:9999");
    let mut watched = Watched::new(&world, &[5000]);
    assert_eq!(watched.applied(&older), Some((NatSource::Dump, DEAD.to_owned())));
    assert_eq!(watched.applied(&other), None);
    let (_, other_again) = world.connect(40_032, "10.8.0.2:9999");
    assert_eq!(watched.applied(&other_again), None);
    assert_eq!(watched.table.len(), 1);
}

/// The kernel's queue overflows while the reader is held up: that is counted, the table is read again, and what cannot be
/// known any more is not claimed.
#[test]
fn an_overflow_is_counted_and_made_good_by_a_dump() {
    if !is_root("an_overflow_is_counted_and_made_good_by_a_dump") {
        return;
    }
    let world = World::new();
    // Entries of unanswered attempts stay; a refusal ends its entry at once.
    world.lead_to(DEAD);
    let ports = Arc::new(PortSet::default());
    ports.replace([5000]);
    let (sender, reports) = channel();
    let hold = Arc::new(std::sync::Mutex::new(()));
    let held = Arc::clone(&hold);
    let report = move |report| {
        drop(held.lock().unwrap());
        sender.send(report).is_ok()
    };
    world.node.run(|| conntrack::spawn_with_queue(ports, 64 * 1024, report)).unwrap();
    let mut watched = Watched::reading(reports);

    let holding = hold.lock().unwrap();
    let dial = |port| connect(Duration::from_millis(1), port, SERVICE).1;
    let queries: Vec<Query> = world.client.run(|| (42_000..42_400).map(dial).collect());
    drop(holding);
    watched.read_until(monotonic_ns());
    assert!(watched.overflows > 0, "400 events do not fit into 64 KiB");
    assert_eq!(watched.table.len(), queries.len(), "every entry is known again");
    for query in &queries {
        let applied = watched.table.resolve(query).expect("it is in the dump");
        assert!(matches!(applied.source, NatSource::New | NatSource::Dump), "{:?}", applied.source);
        assert_eq!(applied.entry.reply.src.to_string(), DEAD);
    }
    let (_, later) = world.connect(43_000, SERVICE);
    assert_eq!(watched.applied(&later), Some((NatSource::New, DEAD.to_owned())));
}

#[test]
fn the_kernel_tells_of_one_entry_what_its_event_told() {
    if !is_root("the_kernel_tells_of_one_entry_what_its_event_told") {
        return;
    }
    let world = World::new();
    let _listener = world.backends.run(|| std::net::TcpListener::bind(LIVE)).unwrap();
    world.lead_to(LIVE);
    let reports = {
        let set = Arc::new(PortSet::default());
        set.replace([5000]);
        let (sender, reports) = channel();
        world.node.run(|| conntrack::spawn(set, move |report| sender.send(report).is_ok())).unwrap();
        reports
    };
    let mut asker = world.node.run(conntrack::Asker::open).unwrap();
    let (result, query) = world.connect(40_100, SERVICE);
    result.unwrap();
    let told = reports.iter().find_map(|report| match report {
        Report::Batch { learned, .. } => learned.into_iter().find_map(|it| match it {
            Learned::Made(entry, _) => Some(entry),
            _ => None,
        }),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!((told.original, told.reply.src), (query.original, LIVE.parse().unwrap()));
    assert!(told.id.is_some());
    assert_eq!(asker.ask(&query.original).unwrap(), Some(told));
    let answers = Tuple { src: told.reply.src, dst: told.reply.dst };
    assert_eq!(asker.ask(&answers).unwrap(), None, "it is the direction of the answers");
    let six = Tuple { src: "[fd00::1]:40100".parse().unwrap(), dst: "[fd00::2]:5000".parse().unwrap() };
    assert_eq!(asker.ask(&six).unwrap(), None);
    let never = Tuple { src: "10.9.0.2:40101".parse().unwrap(), dst: query.original.dst };
    assert_eq!(asker.ask(&never).unwrap(), None);
    world.lead_to(REFUSING);
    let (refused, refused_query) = world.connect(40_102, SERVICE);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(asker.ask(&refused_query.original).unwrap(), None, "a refusal ends its entry");
}
