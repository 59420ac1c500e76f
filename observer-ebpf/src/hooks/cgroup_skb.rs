//! Payload of watched connections, at the sockets' doors.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{__sk_buff, bpf_sock},
    helpers::generated::{
        bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_sk_fullsock, bpf_skb_cgroup_id,
        bpf_skb_load_bytes,
    },
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use observer_ebpf::{
    http::Socket,
    wire::{Counter, Header, Kind, Open, SegmentFlags, State},
};

use super::capture::{Payload, at_listener, followed};
use crate::{
    features,
    maps::{count, emit, is_watched, make_socket, socket},
    tuples,
};

const IPPROTO_TCP: u8 = 6;
const FIN: u8 = 1;
const SYN: u8 = 2;
const PUSH: u8 = 8;

/// Packets on their way to a socket.
#[cgroup_skb]
pub fn pw_ingress(ctx: SkBuffContext) -> i32 {
    // SAFETY: the context is the program's own.
    unsafe { packet(ctx.as_ptr().cast(), SegmentFlags::INBOUND) };
    1
}

/// Packets on their way from a socket.
#[cgroup_skb]
pub fn pw_egress(ctx: SkBuffContext) -> i32 {
    // SAFETY: the context is the program's own.
    unsafe { packet(ctx.as_ptr().cast(), 0) };
    1
}

#[inline(always)]
unsafe fn packet(skb: *mut __sk_buff, direction: u32) {
    // SAFETY: fields of the context and of its socket, each checked as the verifier asks.
    unsafe {
        let sk = (*skb).__bindgen_anon_2.sk;
        if sk.is_null() {
            return;
        }
        // The socket's own ports: an egress packet may show translated ones.
        if !is_watched((*sk).src_port) && !is_watched(u32::from(u16::from_be((*sk).dst_port))) {
            return;
        }
        let Some(mut payload) = tcp_payload(skb, direction) else { return };
        count(Counter::SEGMENTS);
        let full = bpf_sk_fullsock(sk);
        if full.is_null() {
            return;
        }
        let mut socket = socket(full.cast());
        if socket.is_null() {
            if (*full).state == State::LISTEN {
                at_listener(skb, &payload);
                return;
            }
            socket = older(skb, full, payload.at_ns);
        }
        if !socket.is_null() {
            followed(skb, socket, &mut payload);
        }
    }
}

/// Payload of a TCP packet. `None`: no TCP, or nothing in it.
#[inline(always)]
unsafe fn tcp_payload(skb: *mut __sk_buff, direction: u32) -> Option<Payload> {
    let mut ip = [0_u8; 20];
    let mut tcp = [0_u8; 16];
    // SAFETY: the helper checks the packet's bounds; the buffers have the given sizes.
    unsafe {
        if bpf_skb_load_bytes(skb.cast(), 0, ip.as_mut_ptr().cast(), 20) != 0 {
            count(Counter::UNREADABLE);
            return None;
        }
        let (begin, protocol) = match ip[0] >> 4 {
            4 => (u32::from(ip[0] & 15) * 4, ip[9]),
            6 => (40, ip[6]),
            _ => return None,
        };
        if protocol != IPPROTO_TCP {
            return None;
        }
        if bpf_skb_load_bytes(skb.cast(), begin, tcp.as_mut_ptr().cast(), 16) != 0 {
            count(Counter::UNREADABLE);
            return None;
        }
        let offset = begin + u32::from(tcp[12] >> 4) * 4;
        let total = (*skb).len;
        if total <= offset {
            return None;
        }
        Some(Payload {
            at_ns: bpf_ktime_get_ns(),
            direction,
            offset,
            length: total - offset,
            // A SYN counts as one before the data that it may carry (TCP Fast Open).
            seq: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]).wrapping_add(u32::from(tcp[13] & SYN) >> 1),
            pushed: u32::from(tcp[13] & (PUSH | FIN)),
            source_port: u16::from_be_bytes([tcp[0], tcp[1]]),
            destination_port: u16::from_be_bytes([tcp[2], tcp[3]]),
            skip: 0,
            flags: 0,
            place: 0,
            reserved: 0,
        })
    }
}

/// A socket that carries data and was never seen before: it is older than the observer, or than the port's being watched.
#[inline(always)]
unsafe fn older(skb: *mut __sk_buff, full: *mut bpf_sock, at_ns: u64) -> *mut Socket {
    // SAFETY: a full socket, checked by the caller.
    unsafe {
        let socket = make_socket(full.cast());
        if socket.is_null() {
            return socket;
        }
        count(Counter::FOUND);
        let cookie = bpf_get_socket_cookie(skb.cast());
        let tuple = tuples::of_socket(full);
        let netns = if features::has_skb_netns() != 0 { bpf_get_netns_cookie(skb.cast()) } else { 0 };
        (*socket).owner.cookie = cookie;
        (*socket).owner.netns = netns;
        (*socket).owner.tuple = tuple;
        (*socket).flags = Socket::FOUND;
        emit(Counter::RING_OPEN, || Open {
            header: Header { kind: Kind::FOUND, flags: 0, at_ns, cookie },
            tuple,
            cgroup: bpf_skb_cgroup_id(skb),
            netns,
            thread: 0,
            process: 0,
            seq_in: 0,
            seq_out: 0,
        });
        socket
    }
}
