//! Entries of whose making no event came. What is left is the event of their end, and the kernel's answer when it is asked.

use super::kept::{Kept, Opening};
use super::{ENTRIES_MAX, NEW_WITHIN_NS, NatTable, Query};
use crate::nat::tuple::Entry;

impl NatTable {
    /// The kernel, asked for the entry of this connection's addresses, has this one. Whether it was made by this connection, and
    /// its event has not come: it is none that we know of, and nobody has used these addresses since.
    pub fn asked(&mut self, query: &Query, entry: Entry) -> bool {
        let openings = self.openings.get(&query.original).map_or(&[][..], Vec::as_slice);
        let used_since = openings.iter().any(|other| other.conn != query.conn && other.at_ns > query.opened_ns);
        if self.knows(&entry) || used_since || entry.original != query.original || self.count >= ENTRIES_MAX {
            return false;
        }
        self.put(entry, query.opened_ns, false);
        if let Some(made) = self.entries.get_mut(&entry.original).and_then(|kept| kept.last_mut()) {
            made.asked = true;
            made.first = Some(Opening { at_ns: query.opened_ns, conn: query.conn, syns: query.syn_retransmits + 1 });
        }
        true
    }

    /// The end of an entry that was not known to live. A refusal ends its entry at once, so there is nothing to ask for.
    pub(super) fn ended_unseen(&mut self, entry: Entry, at_ns: u64) {
        if self.knows(&entry) || self.count >= ENTRIES_MAX {
            return;
        }
        let ended = Kept { destroyed_ns: Some(at_ns), ended_unseen: true, ..Kept::new(entry, at_ns, true) };
        self.entries.entry(entry.original).or_default().push(ended);
        self.count += 1;
    }

    fn knows(&self, entry: &Entry) -> bool {
        self.entries.get(&entry.original).is_some_and(|kept| kept.iter().any(|kept| kept.entry == *entry))
    }
}

/// The last entry of unseen making that ended after this connection had been opened, before these addresses were used again: then this
/// connection went along it.
pub fn ended_after(kept: &[Kept], openings: &[Opening], query: &Query) -> Option<usize> {
    let others = openings.iter().filter(|other| other.conn != query.conn && other.at_ns > query.opened_ns);
    let used_again_ns = others.map(|other| other.at_ns).min().unwrap_or(u64::MAX);
    kept.iter().rposition(|kept| {
        let until_ns = query.last_syn_ns.saturating_add(NEW_WITHIN_NS);
        kept.ended_unseen && (query.opened_ns..=until_ns.min(used_again_ns)).contains(&kept.made_ns)
    })
}
