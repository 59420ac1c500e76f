//! The index over all records of a run.

use std::cmp::Ordering;
use std::panic::resume_unwind;
use std::thread;

use observer::record::{ExchangeEnd, Hop};

use super::views::{Offset, Tuple};
use super::{Conn, Exch, Groups, Trans};
use crate::correlate::clients::Clients;
use crate::correlate::clocks::Clocks;
use crate::correlate::cluster::{Cluster, PodAt, Pressure, Role, Stops};
use crate::raw::compact::{Call, ConnectionRow, ExchangeRow, Maybe, Mention, Records, StopRow, TranslationRow};

/// All records, on one clock, in an order that does not depend on the order of the files. A record's position is its place in
/// that order; where it is kept, the order tells.
pub struct Seen<'a> {
    /// Nodes with records, in the order of their positions.
    pub nodes: Vec<&'a str>,
    /// Nodes without a known clock offset: their times are taken as ours.
    pub nodes_without_clock: Vec<&'a str>,
    pub(super) records: &'a Records,
    client: &'a Clients<'a>,
    /// Position and clock of each node, by its number in the records.
    by_number: Vec<(u16, Offset)>,
    /// By the pods' numbers in the records.
    pods: Vec<PodAt>,
    conns: Vec<u32>,
    exchanges: Vec<u32>,
    translations: Vec<u32>,
    conn_of_id: Vec<Maybe>,
    exchanges_of_id: Groups,
    /// By request and hop.
    of_request: Groups,
}

/// Hops of a request whose exchanges are looked up.
const HOPS: u32 = 3;

impl<'a> Seen<'a> {
    /// Indexes `records`; `client` is the list that positions of requests refer to.
    /// Pods that the watch did not tell of, but a record does, are added to `cluster`.
    pub fn index(
        records: &'a Records,
        client: &'a Clients<'a>,
        clocks: &Clocks<'_>,
        cluster: &mut Cluster<'a>,
    ) -> Self {
        // By name, so that the order of the files plays no part.
        let mut numbers: Vec<u16> = (0..records.nodes().len() as u16).collect();
        numbers.sort_by_key(|number| &records.nodes()[usize::from(*number)]);
        let nodes: Vec<&str> = numbers.iter().map(|number| records.nodes()[usize::from(*number)].as_str()).collect();
        let mut by_number = vec![(0, Offset(0)); nodes.len()];
        for (position, (number, name)) in numbers.iter().zip(&nodes).enumerate() {
            let offset_ns = clocks.of_node(name).map_or(0, |clock| clock.offset_ns);
            by_number[usize::from(*number)] = (position as u16, Offset(offset_ns));
        }
        let mut seen = Self {
            nodes_without_clock: nodes.iter().copied().filter(|node| clocks.of_node(node).is_none()).collect(),
            nodes,
            records,
            client,
            by_number,
            pods: pods(records, &numbers, cluster),
            conns: Vec::new(),
            exchanges: Vec::new(),
            translations: Vec::new(),
            conn_of_id: vec![Maybe::NONE; records.socket_count()],
            exchanges_of_id: Groups::default(),
            of_request: Groups::default(),
        };
        for stop in &records.stops {
            let (_, offset) = seen.by_number[usize::from(stop.node)];
            let (from_ns, to_ns) = (offset.ours(stop.from_ns), offset.ours(stop.to_ns));
            let StopRow { us, most_us, periods, quota_us, period_us, .. } = *stop;
            if let Some(pod) = seen.pod_of(stop.pod) {
                cluster.stopped(pod, Stops { from_ns, to_ns, us, most_us, periods, quota_us, period_us });
            }
        }
        for row in &records.pressures {
            let (_, offset) = seen.by_number[usize::from(row.node)];
            let (from_ns, to_ns) = (offset.ours(row.from_ns), offset.ours(row.to_ns));
            if let Some(pod) = seen.pod_of(row.pod) {
                cluster.fared(pod, Pressure { from_ns, to_ns, waited_us: row.waited_us, ran_us: row.ran_us });
            }
        }
        seen.order();
        for (position, row) in seen.conns.iter().enumerate() {
            let first = &mut seen.conn_of_id[records.connections[*row as usize].id as usize];
            *first = Maybe::some(first.get().unwrap_or(position as u32));
        }
        let rows = || seen.exchanges.iter().map(|row| &records.exchanges[*row as usize]).zip(0..);
        seen.exchanges_of_id = Groups::new(records.socket_count(), rows().map(|(row, position)| (row.conn, position)));
        let of_request = rows().filter_map(|(row, position)| {
            let hop = hop_place(records.exchange_kind(row).hop)?;
            Some((seen.request_of(row)? * HOPS + hop, position))
        });
        seen.of_request = Groups::new(client.len() * HOPS as usize, of_request);
        seen
    }

    /// Puts everything in order of time. What was still open when it was told may be told again at its end: the end comes
    /// first, and stays.
    fn order(&mut self) {
        let (records, by_number) = (self.records, &self.by_number);
        let node = |number: u16| by_number[usize::from(number)];
        let conns = || {
            let kind = |row: &ConnectionRow| records.connection_kind(row);
            let times_ns = records.connections.iter().map(|row| node(kind(row).node).1.ours(row.opened_ns));
            let mut conns = in_order(times_ns, |row| {
                let row = &records.connections[row as usize];
                let open = records.time(row.opened_ns, row.closed).is_none();
                (node(kind(row).node).0, records.cookie(row.id), open)
            });
            conns.dedup_by_key(|row| records.connections[*row as usize].id);
            conns
        };
        let exchanges = || {
            let kind = |row: &ExchangeRow| records.exchange_kind(row);
            let times_ns = records.exchanges.iter().map(|row| node(kind(row).node).1.ours(row.request_start_ns()));
            let mut exchanges = in_order(times_ns, |row| {
                let row = &records.exchanges[row as usize];
                let kind = kind(row);
                (node(kind.node).0, records.cookie(row.conn), kind.index, kind.end == ExchangeEnd::Open)
            });
            exchanges.dedup_by_key(|row| {
                let row = &records.exchanges[*row as usize];
                (row.conn, kind(row).index)
            });
            exchanges
        };
        let translations = || {
            let kind = |row: &TranslationRow| records.translation_kind(row);
            let times_ns = records.translations.iter().map(|row| node(kind(row).node).1.ours(row.created_ns));
            in_order(times_ns, |row| {
                let row = &records.translations[row as usize];
                let kind = kind(row);
                let client = records.address(kind.client.at_port(row.client_port));
                (client, records.address(kind.nat.source_seen.at_port(row.seen_port)), node(kind.node).0)
            })
        };
        (self.conns, self.exchanges, self.translations) = thread::scope(|scope| {
            let conns = scope.spawn(conns);
            let (exchanges, translations) = (exchanges(), translations());
            (conns.join().unwrap_or_else(|panic| resume_unwind(panic)), exchanges, translations)
        });
    }

    /// The connection at that position.
    pub fn conn(&self, position: u32) -> Conn<'_> {
        let row = &self.records.connections[self.conns[position as usize] as usize];
        let kind = self.records.connection_kind(row);
        let (node, offset) = self.by_number[usize::from(kind.node)];
        Conn { node, hop: kind.hop, id: row.id, pod: self.pod_of(kind.pod), offset, row, kind, seen: self }
    }

    /// All connections, by time.
    pub fn conns(&self) -> impl ExactSizeIterator<Item = Conn<'_>> {
        (0..self.conns.len() as u32).map(|position| self.conn(position))
    }

    /// The exchange at that position.
    pub fn exchange(&self, position: u32) -> Exch<'_> {
        let row = &self.records.exchanges[self.exchanges[position as usize] as usize];
        let kind = self.records.exchange_kind(row);
        let (node, offset) = self.by_number[usize::from(kind.node)];
        Exch { node, hop: kind.hop, conn_id: row.conn, pod: self.pod_of(kind.pod), offset, row, kind, seen: self }
    }

    /// All exchanges, by time.
    pub fn exchanges(&self) -> impl ExactSizeIterator<Item = Exch<'_>> {
        (0..self.exchanges.len() as u32).map(|position| self.exchange(position))
    }

    /// The translation at that position.
    pub fn translation(&self, position: u32) -> Trans<'_> {
        let row = &self.records.translations[self.translations[position as usize] as usize];
        let kind = self.records.translation_kind(row);
        let (_, offset) = self.by_number[usize::from(kind.node)];
        Trans { pod: self.pod_of(kind.nat.pod), offset, row, kind, seen: self }
    }

    /// All translations, by time.
    pub fn translations(&self) -> impl ExactSizeIterator<Item = Trans<'_>> + Clone {
        (0..self.translations.len() as u32).map(|position| self.translation(position))
    }

    pub(super) fn pod_of(&self, number: Maybe) -> Option<PodAt> {
        number.get().map(|number| self.pods[number as usize])
    }

    pub(super) fn request_of(&self, row: &ExchangeRow) -> Option<u32> {
        self.client.place_of(row.trace.seq()?)
    }

    /// Both ends as the records have them. `None`: no record has these.
    pub fn tuple_of(&self, (from, to): (std::net::SocketAddr, std::net::SocketAddr)) -> Option<Tuple> {
        self.records.find(from).zip(self.records.find(to))
    }

    /// Exchanges of one client's request at one hop, by time.
    pub fn of_request(&self, hop: Hop, request: u32) -> &[u32] {
        hop_place(hop).map_or(&[], |hop| self.of_request.of(request * HOPS + hop))
    }

    /// Connection with that number.
    pub fn conn_position(&self, id: u32) -> Option<u32> {
        self.conn_of_id[id as usize].get()
    }

    /// Exchanges on a connection, by time.
    pub fn on_conn(&self, id: u32) -> &[u32] {
        self.exchanges_of_id.of(id)
    }

    /// Exchange that a call belongs to.
    pub fn exchange_of_call(&self, call: &Call) -> Option<u32> {
        let on_conn = self.on_conn(call.conn);
        if let Some(index) = call.exchange {
            return on_conn.iter().find(|position| self.exchange(**position).index() == index).copied();
        }
        // Both times are the same node's.
        let begun = |position: &&u32| self.exchange(**position).request_start_node_ns() <= call.at_ns;
        on_conn.iter().rev().find(begun).copied()
    }

    /// Hop of a connection, also when only its exchanges were recorded.
    pub fn hop_of_conn(&self, id: u32) -> Option<Hop> {
        match self.conn_position(id) {
            Some(position) => Some(self.conn(position).hop),
            None => self.on_conn(id).first().map(|position| self.exchange(*position).hop),
        }
    }
}

fn hop_place(hop: Hop) -> Option<u32> {
    match hop {
        Hop::Front => Some(0),
        Hop::Upstream => Some(1),
        Hop::Pod => Some(2),
        Hop::Other => None,
    }
}

/// Rows by their times, then by `rest`, then as they were read. Times differ nearly always, so that the row itself is rarely looked at:
/// millions of them are not in the cache.
fn in_order<K: Ord>(times_ns: impl ExactSizeIterator<Item = u64>, rest: impl Fn(u32) -> K) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = times_ns.zip(0..).collect();
    keyed.sort_unstable_by(|(a_ns, a), (b_ns, b)| {
        a_ns.cmp(b_ns).then_with(|| match rest(*a).cmp(&rest(*b)) {
            Ordering::Equal => a.cmp(b),
            order => order,
        })
    });
    keyed.iter().map(|(_, row)| *row).collect()
}

/// Gives each pod of the records its place in `cluster`, node by node in their order.
fn pods<'a>(records: &'a Records, nodes: &[u16], cluster: &mut Cluster<'a>) -> Vec<PodAt> {
    let mut pods = vec![0; records.pod_count()];
    for named in nodes.iter().flat_map(|node| records.named_at(*node)) {
        let (role, has_address) = match named.by {
            Mention::Gateway | Mention::Owner(Hop::Front | Hop::Upstream) => (Some(Role::Gateway), true),
            Mention::Owner(Hop::Pod) | Mention::Chosen(Hop::Upstream) => (Some(Role::Upstream), true),
            Mention::Chosen(_) => (None, true),
            Mention::Measured | Mention::Owner(Hop::Other) => (None, false),
        };
        let address = has_address.then(|| records.host_of(named));
        pods[named.pod as usize] = cluster.ensure(records.pod_ref(named.pod), role, address);
    }
    pods
}
