//! Socket calls of threads: who read and wrote what, in which order. Kernel 6.3 and newer.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use observer_ebpf::wire::{Call, Counter, Header, Kind};

use crate::maps::{emit, socket};

/// A read from a socket returns. A peek shows as 0 bytes and is not told.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn pw_recv(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket.
    unsafe { moved(ctx.arg(0), ctx.arg(1), Kind::RECV) };
    0
}

/// A write to a socket returns.
#[btf_tracepoint(function = "sock_send_length")]
pub fn pw_send(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket.
    unsafe { moved(ctx.arg(0), ctx.arg(1), Kind::SEND) };
    0
}

#[inline(always)]
unsafe fn moved(sk: *mut c_void, moved: i32, kind: u32) {
    // Nothing moved: "try again", a peek or the end of the stream. All a thread does next is told by itself.
    if moved <= 0 {
        return;
    }
    // SAFETY: the helper takes the tracepoint's socket; its result is checked.
    unsafe {
        let socket = socket(sk);
        if socket.is_null() {
            return;
        }
        let total = if kind == Kind::RECV { &raw mut (*socket).read_bytes } else { &raw mut (*socket).written_bytes };
        let offset = *total;
        *total = offset + moved as u64;
        let task = bpf_get_current_pid_tgid();
        emit(Counter::RING_CALL, || Call {
            header: Header { kind, flags: 0, at_ns: bpf_ktime_get_ns(), cookie: (*socket).owner.cookie },
            offset,
            moved,
            thread: task as u32,
            process: (task >> 32) as u32,
            reserved: 0,
        });
    }
}
