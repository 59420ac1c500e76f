//! The address translation of a connection.

use super::{Connection, Entry, ExpiredEntry, IpAddr, Joiner, Nat, NatSource, PodRef, Translation, Tuple, query};
use crate::nat::{Applied, Query};

/// Asks the kernel for the entry of these addresses, as it is now.
pub type Ask<'a> = dyn FnMut(&Tuple) -> Option<Entry> + 'a;

impl Joiner {
    /// The NAT entry of a client's connection, once its event must have been read. `None`: the pod behind it may still become known.
    /// `Some(None)`: there is none.
    pub fn connection_nat(
        &mut self,
        connection: &Connection,
        last_try: bool,
        ask: &mut Ask<'_>,
    ) -> Option<Option<Nat>> {
        let query = query(connection);
        if self.nat_read_until_ns.is_some()
            && let Some(applied) = self.resolve(&query, ask)
        {
            let chosen = applied.entry.reply.src;
            let source = if chosen == connection.remote { NatSource::Direct } else { applied.source };
            let pod = self.owner(chosen.ip(), applied.made_ns);
            if pod.is_none() && self.pods_watched && !last_try {
                return None;
            }
            let expired = applied.expired.map(|(entry, made_ns)| {
                let chosen = entry.reply.src;
                Box::new(ExpiredEntry { chosen, pod: self.owner(chosen.ip(), made_ns), created_ns: made_ns })
            });
            return Some(Some(Nat {
                dialled: connection.remote,
                chosen,
                source_seen: applied.entry.reply.dst,
                pod,
                created_ns: applied.made_ns,
                source,
                entries: applied.entries,
                expired,
            }));
        }
        let pod = self.owner(connection.remote.ip(), connection.opened_ns);
        Some(pod.map(|pod| Nat {
            dialled: connection.remote,
            chosen: connection.remote,
            source_seen: connection.local,
            pod: Some(pod),
            created_ns: connection.opened_ns,
            source: NatSource::Direct,
            entries: 0,
            expired: None,
        }))
    }

    /// The kernel is asked where the events alone would say that there is no entry, or that an old one was used: that names a cause,
    /// and the absence of an event proves little.
    fn resolve(&mut self, query: &Query, ask: &mut Ask<'_>) -> Option<Applied> {
        let applied = self.nat.resolve(query);
        if applied.is_some_and(|applied| applied.source != NatSource::Reused) {
            return applied;
        }
        match ask(&query.original) {
            Some(entry) if self.nat.asked(query, entry) => {
                self.tally.seen("conntrack_event_missed");
                self.nat.resolve(query)
            }
            _ => applied,
        }
    }

    /// A new entry towards the gateway's Service. `None`: the pod behind it may still become known.
    pub fn translation(&mut self, entry: Entry, at_ns: u64, last_try: bool) -> Option<Translation> {
        let pod = self.owner(entry.reply.src.ip(), at_ns);
        if pod.is_none() && self.pods_watched && !last_try {
            return None;
        }
        let nat = Nat {
            dialled: entry.original.dst,
            chosen: entry.reply.src,
            source_seen: entry.reply.dst,
            pod,
            created_ns: at_ns,
            source: NatSource::New,
            entries: 1,
            expired: None,
        };
        Some(Translation { node: self.node.clone(), client: entry.original.src, nat })
    }

    fn owner(&self, ip: IpAddr, at_ns: u64) -> Option<PodRef> {
        self.pods.by_address(ip, at_ns).map(|pod| (**pod).clone())
    }
}
