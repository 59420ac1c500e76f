//! Gives each record its pod, its hop and its NAT entry. Pure: time is passed in.
//!
//! What is not known yet may still come (a watch lags, an event is read late), so a record waits for it, but never long.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::flow::{Output, Seen, Side};
use crate::nat::conntrack::Learned;
use crate::nat::{Entry, NatTable, Query, Tuple};
use crate::pods::topology::Parts;
use crate::pods::{PodIndex, Role, Topology};
use crate::record::{
    Connection, Exchange, ExpiredEntry, Hop, Nat, NatSource, Outcome, PodRef, PodSource, Record, Translation,
};

use super::tally::Tally;

mod cgroup_wait;
mod identify;
mod translate;

use cgroup_wait::CgroupWait;
use identify::Socket;
pub use translate::Ask;

/// A NAT event is read at most this long after the SYN that made it, on a machine that is not hopelessly behind.
pub const NAT_SETTLE_NS: u64 = crate::nat::LATE_NS;
/// A record waits at most this long for what is missing; then it goes on without.
pub const WAIT_MAX_NS: u64 = 2_000_000_000;
/// How often a waiting record is looked at again.
const RETRY_NS: u64 = 20_000_000;
/// Records that wait at once; beyond that the oldest go on without.
const WAITING_MAX: usize = 65_536;

/// A finished record.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The record.
    pub record: Record,
    /// It shows something that goes on, and will be told again when it ends.
    pub snapshot: bool,
}

#[derive(Debug)]
enum Item {
    Connection(Seen<Connection>),
    Exchange(Seen<Exchange>),
    Translation(Entry, u64),
}

#[derive(Debug)]
struct Waiting {
    item: Item,
    arrived_ns: u64,
    snapshot: bool,
    nat_done: bool,
    /// The kernel has been asked for its entry.
    nat_asked: bool,
}

/// The joiner and all that it knows.
#[derive(Debug)]
pub struct Joiner {
    node: String,
    /// Pods by UID, address and cgroup.
    pub pods: PodIndex,
    /// Services and the parts of pods.
    pub topology: Topology,
    /// NAT entries.
    pub nat: NatTable,
    /// Counters.
    pub tally: Tally,
    parts: Option<Parts>,
    pods_watched: bool,
    /// Everything that conntrack told before this time has been taken in. `None`: there is no conntrack.
    nat_read_until_ns: Option<u64>,
    cgroups: CgroupWait,
    waiting: BTreeMap<(u64, u64), Box<Waiting>>,
    sequence: u64,
}

impl Joiner {
    /// Knows nothing yet.
    pub fn new(node: String, topology: Topology) -> Self {
        Self {
            node,
            pods: PodIndex::default(),
            topology,
            nat: NatTable::default(),
            tally: Tally::default(),
            parts: None,
            pods_watched: false,
            nat_read_until_ns: None,
            cgroups: CgroupWait::default(),
            waiting: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// The Services of the open run, or of none.
    pub fn set_parts(&mut self, parts: Option<Parts>) {
        self.parts = parts;
    }

    /// The Services of the open run.
    pub fn parts(&self) -> Option<&Parts> {
        self.parts.as_ref()
    }

    /// The watch of pods and endpoints works: it is worth waiting for what it will tell.
    pub fn set_pods_watched(&mut self, works: bool) {
        self.pods_watched = works;
    }

    /// See [`Joiner::set_pods_watched`].
    pub fn pods_watched(&self) -> bool {
        self.pods_watched
    }

    /// Conntrack has told everything up to this time; `None`: it works no longer.
    pub fn set_nat_read_until(&mut self, until_ns: Option<u64>) {
        self.nat_read_until_ns = until_ns;
        if let Some(until_ns) = until_ns {
            self.nat.read_until(until_ns);
        }
    }

    /// The cgroup tree was read, beginning at `started_ns`.
    pub fn scanned(&mut self, found: &HashMap<u64, std::sync::Arc<str>>, started_ns: u64, now_ns: u64) {
        self.cgroups.scanned(started_ns);
        self.pods.cgroups(found, now_ns);
    }

    /// Some socket's cgroup was not in the last scan: a new one would tell more.
    pub fn wants_scan(&self) -> bool {
        self.cgroups.wants_scan()
    }

    /// Records that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// No record that arrived until then waits any more.
    pub fn settled_until(&self, arrived_ns: u64) -> bool {
        self.waiting.values().all(|waiting| waiting.arrived_ns > arrived_ns)
    }

    /// Takes a record of the flow table. `snapshot`: it goes on, and will be told again.
    pub fn offer(&mut self, output: Output, snapshot: bool, now_ns: u64) {
        // What was not sent was not translated.
        let mut nat_done = false;
        let (item, due_ns) = match output {
            Output::Connection(seen) => {
                nat_done = seen.record.outcome == Outcome::NoSourcePort;
                let due = if seen.side == Side::Client && !nat_done && self.nat_read_until_ns.is_some() {
                    let query = query(&seen.record);
                    self.nat.opened(&query);
                    query.last_syn_ns + NAT_SETTLE_NS
                } else {
                    now_ns
                };
                (Item::Connection(seen), due)
            }
            Output::Exchange(seen) => (Item::Exchange(seen), now_ns),
        };
        self.wait(Box::new(Waiting { item, arrived_ns: now_ns, snapshot, nat_done, nat_asked: false }), due_ns);
    }

    /// Takes what conntrack tells.
    pub fn learned(&mut self, learned: Learned, now_ns: u64) {
        match learned {
            Learned::Made(entry, at_ns) => {
                self.nat.made(entry, at_ns);
                if self.topology.is_gateway_address(entry.original.dst, self.parts.as_ref()) {
                    let waiting = Waiting {
                        item: Item::Translation(entry, at_ns),
                        arrived_ns: now_ns,
                        snapshot: false,
                        nat_done: true,
                        nat_asked: true,
                    };
                    self.wait(Box::new(waiting), now_ns);
                }
            }
            Learned::Destroyed(entry, at_ns) => self.nat.destroyed(&entry, at_ns),
            Learned::Dumped(entry, at_ns) => self.nat.dumped(entry, at_ns),
            Learned::DumpDone { started_ns, ended_ns, lost_since_ns } => {
                self.nat.dump_done(started_ns, ended_ns, lost_since_ns);
            }
        }
    }

    fn wait(&mut self, waiting: Box<Waiting>, due_ns: u64) {
        self.sequence += 1;
        self.waiting.insert((due_ns, self.sequence), waiting);
    }

    /// Hands on every record that has all it needs, or has waited long enough. `force`: nothing waits any longer. `ask` is called at
    /// most once for a connection.
    pub fn settle(&mut self, now_ns: u64, force: bool, ask: &mut Ask<'_>, out: &mut Vec<Joined>) {
        let (mut again, mut unread) = (Vec::new(), Vec::new());
        loop {
            let over = self.waiting.len() > WAITING_MAX;
            let Some(first) = self.waiting.first_entry() else { break };
            if !force && !over && first.key().0 > now_ns {
                break;
            }
            let (key, waiting) = first.remove_entry();
            if over && !force {
                self.tally.lost("join_waiting_full");
            }
            let last_try = force || over || now_ns.saturating_sub(waiting.arrived_ns) >= WAIT_MAX_NS;
            if !last_try && self.is_unread(&waiting) {
                unread.push((key, waiting));
                continue;
            }
            match self.join(waiting, last_try, ask) {
                Ok(joined) => out.push(joined),
                Err(waiting) => again.push(waiting),
            }
        }
        // In their place: entries are given out in order of opening, and a source port can be used again within milliseconds.
        self.waiting.extend(unread);
        for waiting in again {
            self.wait(waiting, now_ns + RETRY_NS);
        }
    }

    /// The event of its NAT entry may be in the kernel's queue.
    fn is_unread(&self, waiting: &Waiting) -> bool {
        match (&waiting.item, self.nat_read_until_ns) {
            (Item::Connection(seen), Some(until_ns)) if !waiting.nat_done && seen.side == Side::Client => {
                until_ns < query(&seen.record).last_syn_ns + NAT_SETTLE_NS
            }
            _ => false,
        }
    }

    /// `Err`: not yet.
    fn join(&mut self, mut waiting: Box<Waiting>, last_try: bool, ask: &mut Ask<'_>) -> Result<Joined, Box<Waiting>> {
        let snapshot = waiting.snapshot;
        let record = match &mut waiting.item {
            Item::Translation(entry, at_ns) => {
                let (entry, at_ns) = (*entry, *at_ns);
                match self.translation(entry, at_ns, last_try) {
                    Some(translation) => Record::Translation(translation),
                    None => return Err(waiting),
                }
            }
            Item::Connection(seen) => {
                if !waiting.nat_done && seen.side == Side::Client {
                    let asked = &mut waiting.nat_asked;
                    let mut ask_once = |tuple: &Tuple| if std::mem::replace(asked, true) { None } else { ask(tuple) };
                    match self.connection_nat(&seen.record, last_try, &mut ask_once) {
                        Some(nat) => seen.record.nat = nat,
                        None => return Err(waiting),
                    }
                }
                waiting.nat_done = true;
                let socket = Socket::of_connection(seen);
                match self.identify(&socket, last_try) {
                    Some(known) => Record::Connection(known.fill_connection(&self.node, seen)),
                    None => return Err(waiting),
                }
            }
            Item::Exchange(seen) => match self.identify(&Socket::of_exchange(seen), last_try) {
                Some(known) => Record::Exchange(known.fill_exchange(&self.node, seen)),
                None => return Err(waiting),
            },
        };
        Ok(Joined { record, snapshot })
    }

    /// Forgets what has served its time; returns UIDs of pods that are gone for good.
    pub fn forget(&mut self, now_ns: u64) -> Vec<std::sync::Arc<str>> {
        self.nat.forget(now_ns);
        self.cgroups.forget();
        let gone = self.pods.forget(now_ns);
        self.topology.forget(&gone);
        gone
    }
}

fn query(connection: &Connection) -> Query {
    // A reset that leaves before the handshake is complete is drawn by an answer to an earlier connection of the same ports. The kernel
    // sends the SYN again at once, and the rules choose again: also where its repetition was not told.
    let reset_ns = connection.reset_sent_ns;
    let drawn = reset_ns.is_some_and(|reset_ns| connection.established_ns.is_none_or(|at_ns| reset_ns < at_ns));
    let syn_retransmits = connection.syn_retransmits.max(u32::from(drawn));
    Query {
        original: Tuple { src: connection.local, dst: connection.remote },
        opened_ns: connection.opened_ns,
        conn: connection.conn,
        syn_retransmits,
        // Its last SYN is not known, but it was not sent after the answer, nor after the end.
        last_syn_ns: match syn_retransmits {
            0 => connection.opened_ns,
            _ => connection.established_ns.or(connection.closed_ns).unwrap_or(connection.opened_ns),
        },
    }
}

#[cfg(test)]
mod tests;
