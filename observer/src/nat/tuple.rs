//! What a conntrack entry says.

use std::net::SocketAddr;

/// Source and destination of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Who sends.
    pub src: SocketAddr,
    /// To whom.
    pub dst: SocketAddr,
}

/// One entry of the conntrack table: the direction as dialled, and the one in which answers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// As dialled.
    pub original: Tuple,
    /// As answered: its source is the backend that was chosen, its destination is the dialler as that backend sees it.
    pub reply: Tuple,
    /// The kernel's id of the entry; it tells two entries with equal tuples apart.
    pub id: Option<u32>,
}

impl Entry {
    /// The entry concerns one of these ports: as dialled, or as translated.
    pub fn touches(&self, watched: impl Fn(u16) -> bool) -> bool {
        watched(self.original.dst.port()) || watched(self.reply.src.port())
    }
}
