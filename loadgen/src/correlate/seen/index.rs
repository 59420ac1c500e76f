//! The index over all records of a run.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use observer::record::{Connection, ExchangeEnd, Hop, PodRef, Record, SocketCall};
use rustc_hash::FxHashMap;

use super::views::Offset;
use super::{Conn, Exch, Groups, Trans};
use crate::correlate::clocks::Clocks;
use crate::correlate::cluster::{Cluster, PodAt, Role, Stops};
use crate::raw::{ClientRequest, RawRun};

/// All records, on one clock, in an order that does not depend on the order of the files.
pub struct Seen<'a> {
    /// Connections by time.
    pub conns: Vec<Conn<'a>>,
    /// Exchanges by time.
    pub exchanges: Vec<Exch<'a>>,
    /// Translations by time.
    pub translations: Vec<Trans<'a>>,
    /// Nodes with records, in the order of their positions.
    pub nodes: Vec<&'a str>,
    /// Nodes without a known clock offset: their times are taken as ours.
    pub nodes_without_clock: Vec<&'a str>,
    ids: FxHashMap<(u16, u64), u32>,
    conn_of_id: Vec<Option<u32>>,
    exchanges_of_id: Groups,
    front: Groups,
    upstream: Groups,
    pod: Groups,
}

impl<'a> Seen<'a> {
    /// Indexes the records of `raw`; `client` is the list that positions refer to, in order of `seq`.
    /// Pods that the watch did not tell of, but a record does, are added to `cluster`. Millions of records do not fit into any
    /// cache: they are read once, here, and what all requests need of them is kept side by side.
    pub fn index(raw: &'a RawRun, client: &[&ClientRequest], clocks: &Clocks<'_>, cluster: &mut Cluster<'a>) -> Self {
        // By name, so that the order of the files plays no part.
        let mut nodes: BTreeMap<&str, Vec<&'a [Record]>> = BTreeMap::new();
        for (node, records) in &raw.records {
            nodes.entry(node).or_default().push(records);
        }
        let nodes_without_clock = nodes.keys().copied().filter(|node| clocks.of_node(node).is_none()).collect();

        let mut ids = FxHashMap::default();
        let (mut conns, mut exchanges, mut translations) = (Vec::new(), Vec::new(), Vec::new());
        for (position, (name, files)) in nodes.iter().enumerate() {
            let offset_ns = clocks.of_node(name).map_or(0, |clock| clock.offset_ns);
            let (node, offset) = (position as u16, Offset(offset_ns));
            let mut id_of = |cookie: u64| {
                let next = ids.len() as u32;
                *ids.entry((node, cookie)).or_insert(next)
            };
            for record in files.iter().copied().flatten() {
                match record {
                    Record::Connection(raw) => {
                        let opened_ns = offset.ours(raw.opened_ns);
                        let (pod, nat_pod) = pods_of(raw, cluster);
                        let (hop, id) = (raw.hop, id_of(raw.conn));
                        conns.push(Conn { raw, node, hop, id, pod, nat_pod, opened_ns, offset });
                    }
                    Record::Exchange(exchange) => exchanges.push(Exch {
                        raw: exchange,
                        node,
                        hop: exchange.hop,
                        conn_id: id_of(exchange.conn),
                        pod: exchange.pod.as_ref().map(|pod| owner(pod, exchange.hop, exchange.local, cluster)),
                        request: exchange.trace_id.as_deref().and_then(|id| position_of(id, &raw.run.id, client)),
                        request_start_ns: offset.ours(exchange.request_start_ns),
                        offset,
                    }),
                    Record::Throttling(raw) => {
                        let at = cluster.ensure(&raw.pod, None, None);
                        let (from_ns, to_ns) = (offset.ours(raw.from_ns), offset.ours(raw.to_ns));
                        cluster.stopped(at, Stops { from_ns, to_ns, us: raw.stopped_us, periods: raw.periods });
                    }
                    Record::Translation(raw) => {
                        let address = Some(raw.nat.chosen.ip());
                        let pod = raw.nat.pod.as_ref().map(|pod| cluster.ensure(pod, Some(Role::Gateway), address));
                        translations.push(Trans { raw, pod, created_ns: offset.ours(raw.nat.created_ns) });
                    }
                }
            }
        }
        // Times differ nearly always, so that the record itself is rarely looked at: millions of them are not in the cache.
        conns.sort_by(|a, b| {
            let rest = |conn: &Conn<'_>| (conn.node, conn.raw.conn, conn.raw.closed_ns.is_none());
            a.opened_ns.cmp(&b.opened_ns).then_with(|| rest(a).cmp(&rest(b)))
        });
        // What was still open when it was told may be told again at its end: the end comes first here, and stays.
        conns.dedup_by_key(|conn| conn.id);
        exchanges.sort_by(|a, b| {
            let rest = |it: &Exch<'_>| (it.node, it.raw.conn, it.raw.index, it.raw.end == ExchangeEnd::Open);
            a.request_start_ns.cmp(&b.request_start_ns).then_with(|| rest(a).cmp(&rest(b)))
        });
        exchanges.dedup_by(|a, b| a.conn_id == b.conn_id && a.raw.index == b.raw.index);
        translations.sort_by(|a, b| {
            let rest = |it: &Trans<'_>| (it.raw.client, it.raw.nat.source_seen);
            a.created_ns.cmp(&b.created_ns).then_with(|| rest(a).cmp(&rest(b)))
        });

        let mut conn_of_id = vec![None; ids.len()];
        for (position, conn) in conns.iter().enumerate() {
            conn_of_id[conn.id as usize].get_or_insert(position as u32);
        }
        let exchanges_of_id = Groups::new(ids.len(), exchanges.iter().enumerate().map(|(i, e)| (e.conn_id, i as u32)));
        let at_hop = |hop: Hop| {
            let pairs = exchanges.iter().enumerate().filter(move |(_, e)| e.hop == hop);
            Groups::new(client.len(), pairs.filter_map(|(i, e)| Some((e.request?, i as u32))))
        };
        let (front, upstream, pod) = (at_hop(Hop::Front), at_hop(Hop::Upstream), at_hop(Hop::Pod));
        Self {
            conns,
            exchanges,
            translations,
            nodes: nodes.into_keys().collect(),
            nodes_without_clock,
            ids,
            conn_of_id,
            exchanges_of_id,
            front,
            upstream,
            pod,
        }
    }

    /// Exchanges of one client's request at one hop, by time.
    pub fn of_request(&self, hop: Hop, request: u32) -> &[u32] {
        match hop {
            Hop::Front => self.front.of(request),
            Hop::Upstream => self.upstream.of(request),
            Hop::Pod => self.pod.of(request),
            Hop::Other => &[],
        }
    }

    /// Connection with that number.
    pub fn conn_position(&self, id: u32) -> Option<u32> {
        self.conn_of_id[id as usize]
    }

    /// Exchanges on a connection, by time.
    pub fn on_conn(&self, id: u32) -> &[u32] {
        self.exchanges_of_id.of(id)
    }

    /// Number of the connection on which a call was made.
    pub fn conn_id_of_call(&self, node: u16, call: &SocketCall) -> Option<u32> {
        self.ids.get(&(node, call.conn)).copied()
    }

    /// Exchange that a call belongs to.
    pub fn exchange_of_call(&self, node: u16, call: &SocketCall) -> Option<u32> {
        let on_conn = self.on_conn(self.conn_id_of_call(node, call)?);
        let matches = |position: &&u32| {
            let raw = self.exchanges[**position as usize].raw;
            match call.exchange {
                Some(index) => raw.index == index,
                // Both times are the same node's.
                None => raw.request_start_ns <= call.at_ns,
            }
        };
        match call.exchange {
            Some(_) => on_conn.iter().find(matches).copied(),
            None => on_conn.iter().rev().find(matches).copied(),
        }
    }

    /// Hop of a connection, also when only its exchanges were recorded.
    pub fn hop_of_conn(&self, id: u32) -> Option<Hop> {
        match self.conn_position(id) {
            Some(position) => Some(self.conns[position as usize].hop),
            None => self.on_conn(id).first().map(|position| self.exchanges[*position as usize].hop),
        }
    }
}

/// The pod that owns a connection's socket, and the one that its translation chose.
fn pods_of<'a>(conn: &'a Connection, cluster: &mut Cluster<'a>) -> (Option<PodAt>, Option<PodAt>) {
    let pod = conn.pod.as_ref().map(|pod| owner(pod, conn.hop, conn.local, cluster));
    let role = (conn.hop == Hop::Upstream).then_some(Role::Upstream);
    let chosen = conn.nat.as_ref().and_then(|nat| Some((nat.pod.as_ref()?, nat.chosen.ip())));
    (pod, chosen.map(|(pod, ip)| cluster.ensure(pod, role, Some(ip))))
}

fn owner<'a>(pod: &'a PodRef, hop: Hop, local: SocketAddr, cluster: &mut Cluster<'a>) -> PodAt {
    let role = match hop {
        Hop::Front | Hop::Upstream => Some(Role::Gateway),
        Hop::Pod => Some(Role::Upstream),
        Hop::Other => None,
    };
    cluster.ensure(pod, role, role.map(|_| local.ip()))
}

/// Position of the request that a trace id of this run names.
fn position_of(trace_id: &str, run_id: &str, client: &[&ClientRequest]) -> Option<u32> {
    let seq = u64::from_str_radix(trace_id.strip_prefix(run_id).filter(|rest| rest.len() == 16)?, 16).ok()?;
    let dense = usize::try_from(seq).ok().filter(|at| client.get(*at).is_some_and(|request| request.seq == seq));
    let position = dense.or_else(|| client.binary_search_by_key(&seq, |request| request.seq).ok())?;
    u32::try_from(position).ok()
}
