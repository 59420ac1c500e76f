//! Errors reported to a socket's owner.
//!
//! An ICMP error that arrives while `connect()` still holds the socket does not end the attempt. It is put into the socket's
//! error queue (`sk_err` stays 0), the owner learns of it, reads it (which clears it) and closes: without this hook that
//! looks like an attempt that nobody answered.

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use observer_ebpf::{
    http::Socket,
    wire::{Counter, Header, Kind},
};

use crate::{
    features,
    hooks::{
        fields::read,
        twice::{Turn, takes},
    },
    maps::{emit, socket},
};

/// An error is reported.
#[btf_tracepoint(function = "inet_sk_error_report")]
pub fn pw_error(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket.
    unsafe { reported(ctx.arg(0), Turn::First) };
    0
}

/// The same, for what the first was not run for.
#[btf_tracepoint(function = "inet_sk_error_report")]
pub fn pw_error_2(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: as above.
    unsafe { reported(ctx.arg(0), Turn::Second) };
    0
}

#[inline(always)]
unsafe fn reported(sk: *mut c_void, turn: Turn) {
    // SAFETY: the helper takes the tracepoint's socket; its result is checked.
    unsafe {
        let socket = socket(sk);
        if socket.is_null() || !takes(socket, turn, Socket::TOLD_ERROR, Socket::TOLD_ERROR) {
            return;
        }
        let mut error = 0;
        if features::sk_err_offset() != 0 {
            error = read(sk, features::sk_err_offset());
        }
        emit(Counter::RING_MARK, || Header {
            kind: Kind::ERROR,
            flags: error,
            at_ns: bpf_ktime_get_ns(),
            cookie: (*socket).owner.cookie,
        });
    }
}
