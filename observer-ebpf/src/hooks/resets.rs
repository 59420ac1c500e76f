//! Resets, and retransmissions that no callback tells (see `sock_ops`).

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use observer_ebpf::{
    http::Socket,
    wire::{Counter, Header, Kind},
};

use crate::{
    hooks::twice::{Turn, takes},
    maps::{emit, socket},
};

/// A reset leaves. The socket is null when there is none (a closed port).
#[btf_tracepoint(function = "tcp_send_reset")]
pub fn pw_send_reset(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket or null.
    unsafe { mark(ctx.arg(0), Kind::RESET_SENT, Turn::First) };
    0
}

/// The same, for what the first was not run for.
#[btf_tracepoint(function = "tcp_send_reset")]
pub fn pw_send_reset_2(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: as above.
    unsafe { mark(ctx.arg(0), Kind::RESET_SENT, Turn::Second) };
    0
}

/// A reset arrives.
#[btf_tracepoint(function = "tcp_receive_reset")]
pub fn pw_receive_reset(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket.
    unsafe { mark(ctx.arg(0), Kind::RESET_RECEIVED, Turn::First) };
    0
}

/// The same, for what the first was not run for.
#[btf_tracepoint(function = "tcp_receive_reset")]
pub fn pw_receive_reset_2(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: as above.
    unsafe { mark(ctx.arg(0), Kind::RESET_RECEIVED, Turn::Second) };
    0
}

/// A segment, or a SYN, leaves again: of sockets whose retransmissions no callback tells.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
pub fn pw_retransmit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket.
    unsafe { mark(ctx.arg(0), Kind::RETRANSMIT, Turn::Second) };
    0
}

#[inline(always)]
unsafe fn mark(sk: *mut c_void, kind: u32, turn: Turn) {
    if sk.is_null() {
        return;
    }
    let told = match kind {
        Kind::RESET_SENT => Socket::TOLD_RESET_SENT,
        Kind::RESET_RECEIVED => Socket::TOLD_RESET_RECEIVED,
        _ => Socket::TOLD_RETRANSMIT,
    };
    // SAFETY: the helper takes the tracepoint's socket; its result is checked.
    unsafe {
        let socket = socket(sk);
        if !socket.is_null() && takes(socket, turn, told, told) {
            tell(socket, kind);
        }
    }
}

/// # Safety
///
/// `socket` must be a value of the socket storage.
#[inline(always)]
pub unsafe fn tell(socket: *mut Socket, kind: u32) {
    emit(Counter::RING_MARK, || Header {
        kind,
        flags: 0,
        // SAFETY: a helper without arguments, and a value as above.
        at_ns: unsafe { bpf_ktime_get_ns() },
        // SAFETY: as above.
        cookie: unsafe { (*socket).owner.cookie },
    });
}
