//! Addresses of a socket, read field by field: the verifier knows these fields, not the bytes of a struct.

use core::{ffi::c_void, ptr::read_volatile};

use aya_ebpf::{
    bindings::{__sk_buff, bpf_sock, bpf_sock_ops},
    helpers::generated::bpf_skb_load_bytes,
};
use observer_ebpf::wire::Tuple;

use crate::{features, hooks::fields::read};

const AF_INET: u32 = 2;
const ETH_P_IP: u16 = 0x0800;
/// The third word of an IPv4-mapped address.
const MAPPED: u32 = u32::from_be(0x0000_ffff);

#[inline(always)]
fn address(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: sixteen bytes either way.
    unsafe { core::mem::transmute(words) }
}

/// Reads all fields first and chooses values then: a choice before the reads becomes pointer arithmetic.
macro_rules! ends {
    ($from:expr, $family:ident, $local4:ident, $remote4:ident, $local6:ident, $remote6:ident) => {{
        let from = $from;
        let local4 = read_volatile(&raw const (*from).$local4);
        let remote4 = read_volatile(&raw const (*from).$remote4);
        let mut local = [0; 4];
        let mut remote = [0; 4];
        local[0] = read_volatile(&raw const (*from).$local6[0]);
        local[1] = read_volatile(&raw const (*from).$local6[1]);
        local[2] = read_volatile(&raw const (*from).$local6[2]);
        local[3] = read_volatile(&raw const (*from).$local6[3]);
        remote[0] = read_volatile(&raw const (*from).$remote6[0]);
        remote[1] = read_volatile(&raw const (*from).$remote6[1]);
        remote[2] = read_volatile(&raw const (*from).$remote6[2]);
        remote[3] = read_volatile(&raw const (*from).$remote6[3]);
        if (*from).$family == AF_INET {
            local = [0, 0, MAPPED, local4];
            remote = [0, 0, MAPPED, remote4];
        }
        (address(local), address(remote))
    }};
}

/// Both ends of a `sock_ops` context.
///
/// # Safety
///
/// `ops` must be the program's context.
#[inline(always)]
pub unsafe fn of_sock_ops(ops: *mut bpf_sock_ops) -> Tuple {
    // SAFETY: fields of the context.
    unsafe {
        let (local, remote) = ends!(ops, family, local_ip4, remote_ip4, local_ip6, remote_ip6);
        Tuple {
            local,
            remote,
            local_port: (*ops).local_port as u16,
            remote_port: u32::from_be((*ops).remote_port) as u16,
            reserved: 0,
        }
    }
}

/// Both ends of a socket.
///
/// # Safety
///
/// `sk` must be a socket that the verifier lets the program read.
#[inline(always)]
pub unsafe fn of_socket(sk: *mut bpf_sock) -> Tuple {
    // SAFETY: fields of the socket.
    unsafe {
        let (local, remote) = ends!(sk, family, src_ip4, dst_ip4, src_ip6, dst_ip6);
        Tuple {
            local,
            remote,
            local_port: (*sk).src_port as u16,
            remote_port: u16::from_be((*sk).dst_port),
            reserved: 0,
        }
    }
}

/// Addresses of a socket that no context shows, at the places that the loader found.
///
/// # Safety
///
/// `sk` must be a socket, and the places must be known.
#[inline(always)]
pub unsafe fn of_unconnected(sk: *mut c_void) -> ([u8; 16], [u8; 16]) {
    // SAFETY: as above.
    unsafe {
        if read(sk, features::family_offset()) & 0xffff == AF_INET {
            let local = [0, 0, MAPPED, read(sk, features::local_v4_offset())];
            let remote = [0, 0, MAPPED, read(sk, features::remote_v4_offset())];
            return (address(local), address(remote));
        }
        let (local, remote) = (features::local_v6_offset(), features::remote_v6_offset());
        let local = [read(sk, local), read(sk, local + 4), read(sk, local + 8), read(sk, local + 12)];
        let remote = [read(sk, remote), read(sk, remote + 4), read(sk, remote + 8), read(sk, remote + 12)];
        (address(local), address(remote))
    }
}

/// Both ends as an inbound packet tells them. Zeros where it cannot be read.
///
/// # Safety
///
/// `skb` must be the program's context.
#[inline(always)]
pub unsafe fn of_inbound_packet(skb: *mut __sk_buff, source_port: u16, destination_port: u16) -> Tuple {
    let mut remote = [0_u32; 4];
    let mut local = [0_u32; 4];
    // SAFETY: the helper checks the packet's bounds; sizes are those of the buffers' parts.
    unsafe {
        if (*skb).protocol == u32::from(u16::to_be(ETH_P_IP)) {
            remote[2] = MAPPED;
            local[2] = MAPPED;
            bpf_skb_load_bytes(skb.cast(), 12, (&raw mut remote[3]).cast(), 4);
            bpf_skb_load_bytes(skb.cast(), 16, (&raw mut local[3]).cast(), 4);
        } else {
            bpf_skb_load_bytes(skb.cast(), 8, (&raw mut remote).cast(), 16);
            bpf_skb_load_bytes(skb.cast(), 24, (&raw mut local).cast(), 16);
        }
    }
    Tuple {
        local: address(local),
        remote: address(remote),
        local_port: destination_port,
        remote_port: source_port,
        reserved: 0,
    }
}
