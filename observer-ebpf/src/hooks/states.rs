//! FINs and the end of connections.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_socket_cookie, bpf_ktime_get_ns},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use observer_ebpf::{
    http::Socket,
    wire::{Counter, Header, Kind, SegmentFlags, State},
};

use crate::{
    features,
    hooks::{
        capture::tell_held,
        fields::read,
        twice::{Turn, takes},
        undialled,
    },
    maps::{CONNECTING, emit, socket},
};

/// The TCP state of a socket changes.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn pw_set_state(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments of this tracepoint are a socket and two numbers.
    unsafe { changed(ctx.arg(0), ctx.arg(1), ctx.arg(2), Turn::First) };
    0
}

/// The same, for what the first was not run for.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn pw_set_state_2(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: as above.
    unsafe { changed(ctx.arg(0), ctx.arg(1), ctx.arg(2), Turn::Second) };
    0
}

#[inline(always)]
unsafe fn changed(sk: *mut c_void, old: u32, new: u32, turn: Turn) {
    // SAFETY: helpers that take the tracepoint's socket.
    unsafe {
        match new {
            State::FIN_WAIT1 | State::CLOSE_WAIT | State::LAST_ACK | State::CLOSE => (),
            State::SYN_SENT if features::has_task_in_sock_ops() == 0 => {
                let cookie = bpf_get_socket_cookie(sk);
                let _ = CONNECTING.insert(&cookie, &bpf_get_current_pid_tgid(), 0);
                return;
            }
            _ => return,
        }
        let socket = socket(sk);
        if socket.is_null() && old == State::SYN_SENT && new == State::CLOSE {
            undialled::closed(sk, turn);
            return;
        }
        if socket.is_null() || !takes(socket, turn, Socket::TOLD_STATE, new) {
            return;
        }
        let at_ns = bpf_ktime_get_ns();
        tell_held(socket, &raw mut (*socket).inbound, SegmentFlags::INBOUND);
        tell_held(socket, &raw mut (*socket).outbound, 0);
        let mut flags = 0;
        let mut error = 0;
        if features::sk_err_offset() != 0 {
            flags |= State::HAS_ERROR;
            error = read(sk, features::sk_err_offset());
        }
        let mut srtt_us = 0;
        if features::srtt_offset() != 0 {
            flags |= State::HAS_SRTT;
            // The kernel keeps eight times the value.
            srtt_us = read(sk, features::srtt_offset()) >> 3;
        }
        if (*socket).flags & Socket::NOT_HTTP != 0 {
            flags |= State::NOT_HTTP;
        }
        emit(Counter::RING_STATE, || State {
            header: Header { kind: Kind::STATE, flags, at_ns, cookie: (*socket).owner.cookie },
            old,
            new,
            error,
            srtt_us,
            bytes_in: (*socket).inbound.bytes,
            bytes_out: (*socket).outbound.bytes,
        });
    }
}
