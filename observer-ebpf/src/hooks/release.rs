//! The last descriptor of a socket is closed: what a thread gives up before it tries again.

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::cgroup_sock,
    programs::SockContext,
};
use observer_ebpf::wire::{Call, Counter, Header, Kind};

use crate::maps::{emit, socket};

/// `close()` of the last descriptor.
#[cgroup_sock(sock_release)]
pub fn pw_release(ctx: SockContext) -> i32 {
    // SAFETY: the context is the socket; the result of the helper is checked.
    unsafe {
        let socket = socket(ctx.sock.cast());
        if !socket.is_null() {
            let task = bpf_get_current_pid_tgid();
            emit(Counter::RING_CALL, || Call {
                header: Header {
                    kind: Kind::RELEASE,
                    flags: 0,
                    at_ns: bpf_ktime_get_ns(),
                    cookie: (*socket).owner.cookie,
                },
                offset: 0,
                moved: 0,
                thread: task as u32,
                process: (task >> 32) as u32,
                reserved: 0,
            });
        }
    }
    1
}
