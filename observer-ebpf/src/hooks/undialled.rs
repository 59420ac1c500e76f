//! Attempts for which the kernel found no source port: `connect()` fails before a SYN, and before any hook that tells addresses.
//!
//! What is left of such a socket is a change from `SYN_SENT` to `CLOSE` without a source port. Its ends are read at places that
//! the loader found.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_socket_cookie, bpf_ktime_get_ns,
};
use observer_ebpf::{
    http::Socket,
    wire::{Counter, Header, Kind, Open, State, Tuple},
};

use crate::{
    features,
    hooks::{
        fields::read,
        twice::{Turn, takes},
    },
    maps::{emit, is_watched, make_socket},
    tuples,
};

/// The socket, of which nothing is known yet, closes after `connect()` had begun.
///
/// # Safety
///
/// `sk` must be the tracepoint's socket.
#[inline(always)]
pub unsafe fn closed(sk: *mut c_void, turn: Turn) {
    if features::has_socket_ends() == 0 {
        return;
    }
    // SAFETY: fields at the places that the loader found, and helpers that take the tracepoint's socket.
    unsafe {
        // Two 16-bit fields in network byte order: the first two bytes of what is read.
        let local_port = read(sk, features::local_port_offset()) & 0xffff;
        let remote_port = u16::from_be(read(sk, features::remote_port_offset()) as u16);
        if local_port != 0 || !is_watched(u32::from(remote_port)) {
            return;
        }
        let socket = make_socket(sk);
        if socket.is_null() || !takes(socket, turn, Socket::TOLD_STATE, State::CLOSE) {
            return;
        }
        let cookie = bpf_get_socket_cookie(sk);
        let (local, remote) = tuples::of_unconnected(sk);
        let tuple = Tuple { local, remote, local_port: 0, remote_port, reserved: 0 };
        (*socket).owner.cookie = cookie;
        (*socket).owner.tuple = tuple;
        let task = bpf_get_current_pid_tgid();
        emit(Counter::RING_OPEN, || Open {
            header: Header { kind: Kind::UNDIALLED, flags: 0, at_ns: bpf_ktime_get_ns(), cookie },
            tuple,
            cgroup: bpf_get_current_cgroup_id(),
            netns: 0,
            thread: task as u32,
            process: (task >> 32) as u32,
            seq_in: 0,
            seq_out: 0,
        });
    }
}
