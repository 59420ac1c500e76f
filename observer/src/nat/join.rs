//! Which NAT entry applied to a connection. Pure, and indifferent to the order in which events arrive.
//!
//! An entry is kept until the kernel destroys it, not until its connection ends: a source port that is used again while the
//! old entry lives makes no new one, no rule is consulted, and the packets go where the *earlier* connection had gone.

use std::collections::HashMap;
use std::iter::repeat_n;

use super::tuple::{Entry, Tuple};
use crate::record::NatSource;

mod kept;
mod unseen;

use kept::{Kept, Opening};

/// The kernel makes an entry within microseconds of `connect()`, but its event is stamped when we read it, and on a busy
/// machine that may be late.
pub const NEW_WITHIN_NS: u64 = 2_000_000_000;

/// So late it usually is at most; who asks waits that long.
pub const LATE_NS: u64 = 500_000_000;

/// A SYN is repeated after one second; an entry made sooner was made by the first.
const SYN_TIMEOUT_NS: u64 = 900_000_000;

/// A destroyed entry is kept this long for connections whose records are still on their way.
const DESTROYED_KEPT_NS: u64 = 60 * 1_000_000_000;

/// Openings matter only to entries that may still be given to them.
const OPENINGS_KEPT_NS: u64 = 3 * NEW_WITHIN_NS;

/// Entries kept at most: those that are alive (the kernel's own default limit is half of this), and the recent past.
const ENTRIES_MAX: usize = 524_288;

/// A connection whose entry is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// From the socket's own address to the address that it dialled.
    pub original: Tuple,
    /// `connect()` was called at.
    pub opened_ns: u64,
    /// Socket cookie.
    pub conn: u64,
    /// How often its SYN was sent again.
    pub syn_retransmits: u32,
    /// No SYN of it was sent later.
    pub last_syn_ns: u64,
}

/// The entry that applied to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The entry.
    pub entry: Entry,
    /// When its event was read. For an entry that is known from a dump only: when it was dumped; it may be older.
    pub made_ns: u64,
    /// How the connection came to it.
    pub source: NatSource,
    /// How many entries the connection made, this one the last.
    pub entries: u32,
    /// An older entry that took the first SYN and had ended when it was repeated, and when that entry was made.
    pub expired: Option<(Entry, u64)>,
}

/// The part of the kernel's table that concerns watched ports, with its recent past.
#[derive(Debug, Default)]
pub struct NatTable {
    entries: HashMap<Tuple, Vec<Kept>>,
    openings: HashMap<Tuple, Vec<Opening>>,
    count: usize,
    gap: Option<(u64, u64)>,
    overflow: u64,
    read_until_ns: u64,
}

impl NatTable {
    /// Every event that happened before then has been taken in.
    pub fn read_until(&mut self, at_ns: u64) {
        self.read_until_ns = at_ns;
    }

    /// The kernel made an entry.
    pub fn made(&mut self, entry: Entry, at_ns: u64) {
        let last = self.entries.get_mut(&entry.original).and_then(|kept| kept.last_mut());
        match last.filter(|kept| kept.destroyed_ns.is_none() && kept.entry == entry) {
            // The dump overtook the event of the very same entry.
            Some(known) if known.from_dump => (known.from_dump, known.made_ns) = (false, at_ns),
            // So did the answer to a question.
            Some(known) if known.asked && at_ns.saturating_sub(known.made_ns) <= NEW_WITHIN_NS => known.asked = false,
            _ => self.put(entry, at_ns, false),
        }
    }

    /// An entry was found in a dump that was taken at `at_ns`.
    pub fn dumped(&mut self, entry: Entry, at_ns: u64) {
        let alive = self.entries.get_mut(&entry.original).and_then(|kept| kept.last_mut());
        match alive.filter(|kept| kept.destroyed_ns.is_none() && kept.entry == entry) {
            Some(known) => known.dumped_ns = Some(at_ns),
            None => self.put(entry, at_ns, true),
        }
    }

    fn put(&mut self, entry: Entry, at_ns: u64, from_dump: bool) {
        if self.count >= ENTRIES_MAX {
            self.overflow += 1;
            return;
        }
        let kept = self.entries.entry(entry.original).or_default();
        if let Some(last) = kept.last_mut() {
            // There is never more than one entry of one tuple: a new one means that the old one is gone.
            last.destroyed_ns.get_or_insert(at_ns);
        }
        kept.push(Kept::new(entry, at_ns, from_dump));
        self.count += 1;
    }

    /// The kernel destroyed an entry.
    pub fn destroyed(&mut self, entry: &Entry, at_ns: u64) {
        let mut kept = self.entries.get_mut(&entry.original).into_iter().flatten();
        match kept.find(|kept| kept.destroyed_ns.is_none() && kept.entry.reply == entry.reply) {
            Some(kept) => kept.destroyed_ns = Some(at_ns),
            None => self.ended_unseen(*entry, at_ns),
        }
    }

    /// A dump is complete: what it did not show is gone. `lost_since_ns`: events were lost since then.
    pub fn dump_done(&mut self, started_ns: u64, ended_ns: u64, lost_since_ns: Option<u64>) {
        for kept in self.entries.values_mut().flatten() {
            let shown = kept.dumped_ns.is_some_and(|at| at >= started_ns);
            if kept.destroyed_ns.is_none() && kept.made_ns < started_ns && !shown {
                kept.destroyed_ns = Some(started_ns);
            }
        }
        if let Some(from) = lost_since_ns {
            let from = self.gap.filter(|gap| gap.1 >= from).map_or(from, |gap| gap.0.min(from));
            self.gap = Some((from, ended_ns));
        }
    }

    /// A connection is known, though not yet asked for: it may be the one that made an entry.
    pub fn opened(&mut self, query: &Query) {
        let openings = self.openings.entry(query.original).or_default();
        if !openings.iter().any(|opening| opening.conn == query.conn) {
            openings.push(Opening { at_ns: query.opened_ns, conn: query.conn, syns: query.syn_retransmits + 1 });
        }
    }

    /// The entry that applied to a connection. Ask in order of opening, and only when every event up to about half a second
    /// after its last SYN has been read; then the answer is final.
    pub fn resolve(&mut self, query: &Query) -> Option<Applied> {
        let Query { original, opened_ns, conn, syn_retransmits, .. } = *query;
        let in_gap = self.gap.is_some_and(|(from, to)| (from..=to).contains(&opened_ns));
        let openings = self.openings.get(&original).map_or(&[][..], Vec::as_slice);
        let kept = self.entries.get_mut(&original)?;
        let older = kept.iter().rposition(|kept| kept.is_older_than(query) && kept.lived_at(opened_ns));
        let other_before = |made_ns: u64| {
            openings.iter().any(|other| other.conn != conn && other.at_ns > opened_ns && other.at_ns <= made_ns)
        };
        // An entry whose event was read after a later connection was opened may be that one's, unless there are more entries than later
        // connections can have made. Those count of which the events have been read: a source port can be used every few milliseconds.
        let read_until_ns = self.read_until_ns;
        let of_others = |from: usize| {
            let later = openings.iter().filter(|other| other.conn != conn && other.at_ns > opened_ns);
            let later = later.filter(|other| other.at_ns < read_until_ns);
            let mut syns: Vec<u64> = later.flat_map(|other| repeat_n(other.at_ns, other.syns as usize)).collect();
            syns.sort_unstable();
            let known_until_ns = syns.last().map_or(0, |last| last + LATE_NS);
            let mut made = kept[from..].iter().map(|kept| kept.made_ns).take_while(|made| *made <= known_until_ns);
            // Both are in order of time: each entry takes the earliest SYN that is left.
            let mut syns = syns.into_iter();
            made.all(|made_ns| syns.next().is_some_and(|at_ns| at_ns <= made_ns))
        };
        let own = (0..kept.len()).find(|at| {
            let kept = &kept[*at];
            kept.may_be_made_by(query, NEW_WITHIN_NS)
                && (older.is_none() || !other_before(kept.made_ns) || !of_others(*at))
        });
        if let Some(own) = own {
            // A SYN that meets a dying connection of the same tuple is answered with an ACK; the reset that this draws ends
            // the entry, the SYN is sent again within milliseconds, and the rules choose again. The last choice counts.
            let more = kept[own + 1..]
                .iter()
                .take(syn_retransmits as usize)
                .take_while(|next| next.may_be_made_by(query, NEW_WITHIN_NS) && !other_before(next.made_ns));
            let last = own + more.count();
            for kept in &mut kept[own..=last] {
                kept.first = Some(Opening { at_ns: opened_ns, conn, syns: syn_retransmits + 1 });
            }
            let (entry, made_ns) = (kept[last].entry, kept[last].made_ns);
            let repeated_only = syn_retransmits > 0 && kept[own].made_ns >= opened_ns + SYN_TIMEOUT_NS;
            let expired = older.filter(|_| repeated_only).map(|at| (kept[at].entry, kept[at].made_ns));
            let entries = (last - own + 1) as u32;
            return Some(Applied { entry, made_ns, source: NatSource::New, entries, expired });
        }
        if let Some(at) = unseen::ended_after(kept, openings, query) {
            let Kept { entry, made_ns, .. } = kept[at];
            // Where an older entry was known, this one took its place, and the rules had been consulted.
            let source = if older.is_some() { NatSource::New } else { NatSource::Dump };
            return Some(Applied { entry, made_ns, source, entries: 0, expired: None });
        }
        if let Some(older) = older {
            let kept = &kept[older];
            // Where events were lost, an unseen successor may have taken the place of this entry.
            let source = if in_gap { NatSource::Dump } else { NatSource::Reused };
            return Some(Applied { entry: kept.entry, made_ns: kept.made_ns, source, entries: 0, expired: None });
        }
        let dumped = kept.iter().find(|kept| kept.from_dump && !kept.ended_unseen && kept.made_ns >= opened_ns)?;
        let (entry, made_ns) = (dumped.entry, dumped.made_ns);
        Some(Applied { entry, made_ns, source: NatSource::Dump, entries: 0, expired: None })
    }

    /// Forgets destroyed entries that have served their time.
    pub fn forget(&mut self, now_ns: u64) {
        let mut count = 0;
        self.entries.retain(|_, kept| {
            kept.retain(|kept| kept.destroyed_ns.is_none_or(|at| now_ns.saturating_sub(at) <= DESTROYED_KEPT_NS));
            count += kept.len();
            !kept.is_empty()
        });
        self.count = count;
        self.openings.retain(|_, openings| {
            openings.retain(|opening| now_ns.saturating_sub(opening.at_ns) <= OPENINGS_KEPT_NS);
            !openings.is_empty()
        });
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.count
    }

    /// No entry is held.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Entries that did not fit.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }
}

#[cfg(test)]
mod any_order;
#[cfg(test)]
mod tests;
