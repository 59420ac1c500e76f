//! One entry with its past.

use super::Query;
use crate::nat::tuple::Entry;

/// The opening of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// When.
    pub at_ns: u64,
    /// Socket cookie.
    pub conn: u64,
    /// How many SYNs it sent: each may make an entry.
    pub syns: u32,
}

/// An entry, from the moment we learned of it to the moment we learned of its end.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub entry: Entry,
    pub made_ns: u64,
    pub from_dump: bool,
    /// No event told of it: the kernel was asked.
    pub asked: bool,
    /// Only its end was told; `made_ns` is when.
    pub ended_unseen: bool,
    /// The last dump that showed it.
    pub dumped_ns: Option<u64>,
    pub destroyed_ns: Option<u64>,
    /// The connection that made it, once we know.
    pub first: Option<Opening>,
}

impl Kept {
    pub fn new(entry: Entry, at_ns: u64, from_dump: bool) -> Self {
        Self {
            entry,
            made_ns: at_ns,
            from_dump,
            asked: false,
            ended_unseen: false,
            dumped_ns: from_dump.then_some(at_ns),
            destroyed_ns: None,
            first: None,
        }
    }

    /// It existed before the connection was opened: by its own time, or because an earlier connection had made it (its
    /// event may be read late).
    pub fn is_older_than(&self, query: &Query) -> bool {
        match self.first {
            Some(first) => first.conn != query.conn && first.at_ns < query.opened_ns,
            None => self.made_ns < query.opened_ns,
        }
    }

    /// It was not yet destroyed at that time, as far as we know.
    pub fn lived_at(&self, at_ns: u64) -> bool {
        self.destroyed_ns.is_none_or(|destroyed| destroyed >= at_ns)
    }

    /// Its event was read after the connection was opened, soon enough after its last SYN, and no other connection has claimed it.
    pub fn may_be_made_by(&self, query: &Query, within_ns: u64) -> bool {
        !self.from_dump
            && self.made_ns >= query.opened_ns
            && self.made_ns.saturating_sub(query.last_syn_ns) <= within_ns
            && self.first.is_none_or(|first| first.conn == query.conn)
    }
}
