//! Errors reported to a socket's owner.
//!
//! An ICMP error that arrives while `connect()` still holds the socket does not end the attempt. It is put into the socket's
//! error queue (`sk_err` stays 0), the owner learns of it, reads it (which clears it) and closes: without this hook that
//! looks like an attempt that nobody answered.

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use observer_ebpf::wire::{Counter, Header, Kind};

use crate::{
    features,
    hooks::fields::read,
    maps::{emit, socket},
};

/// An error is reported.
#[btf_tracepoint(function = "inet_sk_error_report")]
pub fn pw_error(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is a socket.
    unsafe { reported(ctx.arg(0)) };
    0
}

#[inline(always)]
unsafe fn reported(sk: *mut c_void) {
    // SAFETY: the helper takes the tracepoint's socket; its result is checked.
    unsafe {
        let socket = socket(sk);
        if socket.is_null() {
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
