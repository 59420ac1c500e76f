//! Birth of connections, and what they send again.

use aya_ebpf::{
    bindings::{
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_RETRANS_CB,
        BPF_SOCK_OPS_RETRANS_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB, bpf_sock_ops,
    },
    helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_netns_cookie, bpf_get_socket_cookie,
        bpf_ktime_get_ns, bpf_sock_ops_cb_flags_set,
    },
    macros::sock_ops,
    programs::SockOpsContext,
};
use aya_log_ebpf::warn;
use observer_ebpf::{
    http::Socket,
    wire::{Counter, Header, Kind, Open},
};

use crate::{
    features,
    hooks::{
        resets::tell,
        twice::{Turn, takes},
    },
    maps::{CONNECTING, emit, is_watched, make_socket, socket},
    tuples,
};

/// `connect()` called, handshake complete on either side; a segment, or a SYN, leaves again.
#[sock_ops]
pub fn pw_sock_ops(ctx: SockOpsContext) -> u32 {
    let kind = match ctx.op() {
        BPF_SOCK_OPS_TCP_CONNECT_CB => Kind::CONNECT,
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => Kind::ESTABLISHED_ACTIVE,
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => Kind::ESTABLISHED_PASSIVE,
        BPF_SOCK_OPS_RETRANS_CB => {
            // SAFETY: the context is the program's own.
            unsafe { sent_again(ctx.ops) };
            return 1;
        }
        _ => return 1,
    };
    // SAFETY: the context is the program's own.
    if unsafe { opened(ctx.ops, kind) }.is_none() {
        // Counted already. A connection that is not followed is worth a word; nothing is logged on the usual path.
        warn!(&ctx, "no memory to follow a connection of port {}", ctx.local_port());
    }
    1
}

/// `None`: there was no memory to follow the connection.
#[inline(always)]
unsafe fn opened(ops: *mut bpf_sock_ops, kind: u32) -> Option<()> {
    // SAFETY: fields of the context and helpers that the verifier allows here.
    unsafe {
        if !is_watched((*ops).local_port) && !is_watched(u32::from_be((*ops).remote_port)) {
            return Some(());
        }
        let at_ns = bpf_ktime_get_ns();
        let sk = (*ops).__bindgen_anon_2.sk;
        if sk.is_null() {
            return Some(());
        }
        let socket = make_socket(sk.cast());
        if socket.is_null() {
            return None;
        }
        let cookie = bpf_get_socket_cookie(ops.cast());
        let tuple = tuples::of_sock_ops(ops);
        let netns = bpf_get_netns_cookie(ops.cast());
        ask_for_retransmissions(ops);
        (*socket).owner.cookie = cookie;
        (*socket).owner.netns = netns;
        (*socket).owner.tuple = tuple;

        let (mut flags, mut seq_in, mut seq_out) = (0, 0, 0);
        if kind != Kind::CONNECT {
            flags = Open::HAS_SEQ;
            seq_in = (*ops).rcv_nxt;
            seq_out = (*ops).snd_nxt;
            (*socket).inbound.start(seq_in);
            // Data may have left with the SYN; then its direction has begun already.
            if (*socket).outbound.bytes == 0 {
                (*socket).outbound.start(seq_out);
            }
        }
        let (mut task, mut cgroup) = (0, 0);
        if kind == Kind::CONNECT {
            task = connecting_task(cookie);
            if features::has_cgroup_in_sock_ops() != 0 {
                cgroup = bpf_get_current_cgroup_id();
            }
        }
        emit(Counter::RING_OPEN, || Open {
            header: Header { kind, flags, at_ns, cookie },
            tuple,
            cgroup,
            netns,
            thread: task as u32,
            process: (task >> 32) as u32,
            seq_in,
            seq_out,
        });
    }
    Some(())
}

/// From now on the kernel calls for each retransmission of the socket. What others have asked for stays; where it does not take
/// ours, the tracepoint tells.
///
/// # Safety
///
/// `ops` must be the program's context.
#[inline(always)]
unsafe fn ask_for_retransmissions(ops: *mut bpf_sock_ops) {
    // SAFETY: a field of the context, and a helper that takes it.
    unsafe {
        let wanted = (*ops).bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RETRANS_CB_FLAG;
        bpf_sock_ops_cb_flags_set(ops, wanted as i32);
    }
}

/// The tracepoint behind it comes for the same retransmission, and finds the mark.
///
/// # Safety
///
/// `ops` must be the program's context.
#[inline(always)]
unsafe fn sent_again(ops: *mut bpf_sock_ops) {
    // SAFETY: fields of the context; both sockets are checked.
    unsafe {
        let sk = (*ops).__bindgen_anon_2.sk;
        if sk.is_null() {
            return;
        }
        let socket = socket(sk.cast());
        if socket.is_null() || !takes(socket, Turn::First, Socket::TOLD_RETRANSMIT, Socket::TOLD_RETRANSMIT) {
            return;
        }
        // The third argument is the error with which it did not leave.
        if (*ops).__bindgen_anon_1.args[2] == 0 {
            tell(socket, Kind::RETRANSMIT);
        }
    }
}

/// Thread (low half) and process (high half) that called `connect()`. 0: unknown.
#[inline(always)]
unsafe fn connecting_task(cookie: u64) -> u64 {
    if features::has_task_in_sock_ops() != 0 {
        // SAFETY: the loader found that the helper may be called here.
        return unsafe { bpf_get_current_pid_tgid() };
    }
    // SAFETY: the value is copied at once.
    let task = unsafe { CONNECTING.get(&cookie) }.copied().unwrap_or(0);
    let _ = CONNECTING.remove(&cookie);
    task
}
