//! All records of a run.

mod append;
mod lookup;

use observer::record::{
    Connection, Exchange, Hop, Nat as NatRecord, PodRef, Pressure, Record, SocketCall, Throttling, Translation,
};
use rustc_hash::FxHashSet;

use super::address::{Address, Hosts};
use super::cookies::Cookies;
use super::kinds::{CallKind, ConnectionKind, Ends, ExchangeKind, NatKind, TranslationKind};
use super::maybe::Maybe;
use super::near::{Far, Near};
use super::numbers::Numbers;
use super::rows::{
    CallRow, ConnectionRow, ExchangeRow, ExpiredRow, MoreRow, PressureRow, StopRow, Trace, TranslationRow, TroubleRow,
};

/// All records of a run, compact. Times are the nodes'.
#[derive(Clone, Debug, Default)]
pub struct Records {
    run_id: String,
    nodes: Vec<String>,
    pub(crate) connections: Vec<ConnectionRow>,
    pub(crate) exchanges: Vec<ExchangeRow>,
    pub(crate) translations: Vec<TranslationRow>,
    more: Vec<MoreRow>,
    calls: Vec<CallRow>,
    troubles: Vec<TroubleRow>,
    connection_kinds: Numbers<ConnectionKind>,
    exchange_kinds: Numbers<ExchangeKind>,
    call_kinds: Numbers<CallKind>,
    nat_kinds: Numbers<NatKind>,
    translation_kinds: Numbers<TranslationKind>,
    pub(crate) stops: Vec<StopRow>,
    pub(crate) pressures: Vec<PressureRow>,
    far: Far,
    hosts: Hosts,
    pods: Numbers<PodRef>,
    cookies: Cookies,
    named: Vec<Named>,
    known: FxHashSet<Named>,
}

/// A record of a node names a pod: what else it says of it. Each is kept once, in the order of their first records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub node: u16,
    pub pod: u32,
    pub by: Mention,
    host: u32,
}

/// How a pod is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mention {
    /// As the owner of a socket at that hop, and of its address.
    Owner(Hop),
    /// As the one that the translation of a connection at that hop chose.
    Chosen(Hop),
    /// As the one that a client's connection was translated to.
    Gateway,
    /// As the one whose time on CPUs was read.
    Measured,
}

impl Records {
    /// Of the run with that id, which its trace ids begin with.
    pub fn new(run_id: &str) -> Self {
        Self { run_id: run_id.to_owned(), ..Self::default() }
    }

    /// Number of a node. One that has no records counts as watched as well.
    pub fn node(&mut self, name: &str) -> u16 {
        let known = self.nodes.iter().position(|other| other == name);
        let at = known.unwrap_or_else(|| {
            self.nodes.push(name.to_owned());
            self.nodes.len() - 1
        });
        at as u16
    }

    /// Names of the nodes that were watched, by their numbers.
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.connections.len()
            + self.exchanges.len()
            + self.translations.len()
            + self.stops.len()
            + self.pressures.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives back memory that is not used, after the last record.
    pub fn shrink(&mut self) {
        self.connections.shrink_to_fit();
        self.exchanges.shrink_to_fit();
        self.translations.shrink_to_fit();
        self.more.shrink_to_fit();
        self.calls.shrink_to_fit();
        self.troubles.shrink_to_fit();
        self.far.shrink();
        self.cookies.shrink();
    }

    /// Keeps a record of that node.
    pub fn push(&mut self, node: u16, record: &Record) {
        match record {
            Record::Connection(connection) => self.push_connection(node, connection),
            Record::Exchange(exchange) => self.push_exchange(node, exchange),
            Record::Translation(translation) => self.push_translation(node, translation),
            Record::Throttling(throttling) => self.push_throttling(node, throttling),
            Record::Pressure(pressure) => self.push_pressure(node, pressure),
        }
    }

    /// Keeps a connection.
    pub fn push_connection<S: AsRef<str>>(&mut self, node: u16, it: &Connection<S>) {
        let (local, remote) = (self.hosts.pack(it.local), self.hosts.pack(it.remote));
        let pod = self.pod(node, it.pod.as_ref(), Mention::Owner(it.hop), local);
        let nat = it.nat.as_ref().map(|nat| {
            let (kind, port) = self.nat(node, nat, Mention::Chosen(it.hop));
            let created = self.far.put(it.opened_ns, Some(nat.created_ns));
            (Maybe::some(self.nat_kinds.of_value(kind)), port, created)
        });
        let expired = it.nat.as_ref().and_then(|nat| nat.expired.as_deref()).map(|entry| {
            let chosen = self.hosts.pack(entry.chosen);
            let pod = self.pod(node, entry.pod.as_ref(), Mention::Chosen(it.hop), chosen);
            ExpiredRow { created_ns: entry.created_ns, pod, chosen }
        });
        let trouble = TroubleRow {
            reset_received_ns: it.reset_received_ns,
            reset_sent: it.reset_sent_ns.is_some(),
            syn_retransmits: it.syn_retransmits,
            retransmits: it.retransmits,
            expired,
        };
        let none = trouble.reset_received_ns.is_none()
            && !trouble.reset_sent
            && trouble.expired.is_none()
            && (trouble.syn_retransmits, trouble.retransmits) == (0, 0);
        let opened_after = self.call(node, it.opened_after.as_ref(), it.opened_ns);
        let more = (nat.is_some() || opened_after.is_some() || !none).then(|| {
            let (nat, nat_port, nat_created) = nat.unwrap_or((Maybe::NONE, 0, Near::NONE));
            let trouble = (!none).then(|| put(&mut self.troubles, trouble)).into();
            put(&mut self.more, MoreRow { nat_created, nat, opened_after, trouble, nat_port })
        });
        let (ends, port) = Ends::split(it.hop, local, remote);
        let kind = ConnectionKind {
            pod,
            thread: it.thread.into(),
            exchanges: it.exchanges,
            ends,
            node,
            hop: it.hop,
            outcome: it.outcome,
            close: it.close,
            not_http: it.not_http,
        };
        let row = ConnectionRow {
            opened_ns: it.opened_ns,
            established: self.far.put(it.opened_ns, it.established_ns),
            closed: self.far.put(it.opened_ns, it.closed_ns),
            id: self.cookies.number(node, it.conn),
            kind: self.connection_kinds.of_value(kind),
            more: more.into(),
            port,
        };
        self.connections.push(row);
    }

    /// Keeps an exchange.
    pub fn push_exchange<S: AsRef<str>>(&mut self, node: u16, it: &Exchange<S>) {
        let start_ns = it.request_start_ns;
        let (local, remote) = (self.hosts.pack(it.local), self.hosts.pack(it.remote));
        let (ends, port) = Ends::split(it.hop, local, remote);
        let kind = ExchangeKind {
            pod: self.pod(node, it.pod.as_ref(), Mention::Owner(it.hop), local),
            index: it.index,
            ends,
            node,
            status: it.status.unwrap_or(ExchangeKind::NO_STATUS),
            hop: it.hop,
            end: it.end,
            reused: it.reused,
        };
        let row = ExchangeRow {
            request_start: ExchangeRow::halves(start_ns),
            request_end: self.far.put(start_ns, it.request_end_ns),
            request_read: self.far.put(start_ns, it.request_read_ns),
            response_start: self.far.put(start_ns, it.response_start_ns),
            response_end: self.far.put(start_ns, it.response_end_ns),
            conn: self.cookies.number(node, it.conn),
            kind: self.exchange_kinds.of_value(kind),
            sent_after: self.call(node, it.sent_after.as_ref(), start_ns),
            trace: Trace::of(it.trace_id.as_ref().map(AsRef::as_ref), &self.run_id),
            port,
        };
        self.exchanges.push(row);
    }

    /// Keeps a translation.
    pub fn push_translation<S: AsRef<str>>(&mut self, node: u16, it: &Translation<S>) {
        let client = self.hosts.pack(it.client);
        let (nat, seen_port) = self.nat(node, &it.nat, Mention::Gateway);
        let kind = TranslationKind { nat, client: client.at_port(0), node };
        let row = TranslationRow {
            created_ns: it.nat.created_ns,
            kind: self.translation_kinds.of_value(kind),
            client_port: client.port(),
            seen_port,
        };
        self.translations.push(row);
    }

    /// Keeps where a CPU limit stopped a pod.
    pub fn push_throttling(&mut self, node: u16, it: &Throttling) {
        let pod = self.pod(node, Some(&it.pod), Mention::Measured, Address::NONE);
        self.stops.push(StopRow {
            node,
            pod,
            from_ns: it.from_ns,
            to_ns: it.to_ns,
            us: it.stopped_us,
            most_us: it.stopped_us.max(it.stopped_sum_us),
            periods: it.periods,
            quota_us: it.quota_us,
            period_us: it.period_us,
        });
    }

    /// Keeps how a pod fared on its node's CPUs.
    pub fn push_pressure(&mut self, node: u16, it: &Pressure) {
        let pod = self.pod(node, Some(&it.pod), Mention::Measured, Address::NONE);
        let Pressure { from_ns, to_ns, waited_us, ran_us, .. } = *it;
        self.pressures.push(PressureRow { node, pod, from_ns, to_ns, waited_us, ran_us });
    }

    /// What a translation shares with others, and its source's port.
    fn nat<S: AsRef<str>>(&mut self, node: u16, nat: &NatRecord<S>, by: Mention) -> (NatKind, u16) {
        let chosen = self.hosts.pack(nat.chosen);
        let source_seen = self.hosts.pack(nat.source_seen);
        let kind = NatKind {
            pod: self.pod(node, nat.pod.as_ref(), by, chosen),
            dialled: self.hosts.pack(nat.dialled),
            chosen,
            source_seen: source_seen.at_port(0),
            source: nat.source,
        };
        (kind, source_seen.port())
    }

    fn call(&mut self, node: u16, call: Option<&SocketCall>, base_ns: u64) -> Maybe {
        let Some(call) = call else { return Maybe::NONE };
        let kind = CallKind { exchange: call.exchange.into(), kind: call.kind };
        let row = CallRow {
            at: self.far.put(base_ns, Some(call.at_ns)),
            conn: self.cookies.number(node, call.conn),
            kind: self.call_kinds.of_value(kind),
        };
        Maybe::some(put(&mut self.calls, row))
    }

    fn pod<S: AsRef<str>>(&mut self, node: u16, pod: Option<&PodRef<S>>, by: Mention, address: Address) -> Maybe {
        let Some(pod) = pod else { return Maybe::NONE };
        let pod = self.pod_number(pod);
        self.mention(Named { node, pod, by, host: address.host() });
        Maybe::some(pod)
    }

    fn pod_number<S: AsRef<str>>(&mut self, pod: &PodRef<S>) -> u32 {
        let (namespace, name, uid) = (pod.namespace.as_ref(), pod.name.as_ref(), pod.uid.as_ref());
        self.pods.of(
            (uid, name, namespace),
            |other| (other.uid.as_str(), other.name.as_str(), other.namespace.as_str()) == (uid, name, namespace),
            || PodRef { namespace: namespace.to_owned(), name: name.to_owned(), uid: uid.to_owned() },
        )
    }

    fn mention(&mut self, named: Named) {
        if self.known.insert(named) {
            self.named.push(named);
        }
    }
}

fn put<T>(rows: &mut Vec<T>, row: T) -> u32 {
    rows.push(row);
    (rows.len() - 1) as u32
}
