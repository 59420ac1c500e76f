//! Two programs at one tracepoint, so that nothing goes untold.
//!
//! The kernel does not run such a program while the same one runs on that CPU already: a packet's interrupt that comes
//! while a thread's event is being told brings events that are lost. A second program at the same tracepoint runs behind
//! the first, and tells what that one was not run for. Both cannot be passed over for the same event: the thread that was
//! interrupted was in one of them, and interrupts that bring packets do not nest.

use observer_ebpf::{http::Socket, wire::Counter};

use crate::maps::count;

/// Which of the two it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Run first: attached first, or a callback that comes before the tracepoint.
    First,
    /// Run behind it, for the same event.
    Second,
}

/// Whether this program has to tell the event. `bits` are those of the event's kind in [`Socket::told`]; the first sets them to
/// `event`, and the second takes that back. The kernel holds the socket while both run, so that no other event of it comes between them.
///
/// # Safety
///
/// `socket` must be a value of the socket storage.
#[inline(always)]
pub unsafe fn takes(socket: *mut Socket, turn: Turn, bits: u32, event: u32) -> bool {
    // SAFETY: as above.
    unsafe {
        if turn == Turn::First {
            (*socket).told = ((*socket).told & !bits) | event;
            return true;
        }
        if (*socket).told & bits == event {
            (*socket).told &= !bits;
            return false;
        }
    }
    count(Counter::TOLD_SECOND);
    true
}
