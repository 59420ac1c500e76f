//! What of a payload leaves the kernel: heads, not bodies.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_skb_cgroup_id, bpf_skb_load_bytes},
};
use observer_ebpf::{
    http::{Direction, HeadEnd, Owner, Place, Socket, Start},
    wire::{Body, Counter, Header, Kind, SegmentFlags},
};

use super::{
    bytes::{bounded, start_at},
    piece::{ENDED, FAILED, Piece, SWITCHED, pw_tell_piece},
};
use crate::{
    features,
    maps::{count, emit},
    tuples,
};

/// Records that one segment may take for its heads: 8 KiB of head in one segment, as much as the usual servers take.
const MAX_PIECES: u32 = 8;
/// A head may be this long over all its segments. The usual servers refuse longer ones.
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// Body bytes held back at most, so that the time of a long body's progress is known.
const MAX_HELD_BYTES: u32 = 4 * 1024 * 1024;

/// The payload of a packet.
#[repr(C)]
pub struct Payload {
    pub at_ns: u64,
    /// [`SegmentFlags::INBOUND`] or 0.
    pub direction: u32,
    /// Where it begins in the packet.
    pub offset: u32,
    /// Its bytes, at least 1.
    pub length: u32,
    /// Sequence number of its first byte.
    pub seq: u32,
    /// Not 0: the sender asked to push it, or finished.
    pub pushed: u32,
    pub source_port: u16,
    pub destination_port: u16,
    /// Bytes at its beginning that were seen before.
    pub skip: u32,
    /// Flags of the records that tell it.
    pub flags: u32,
    /// One of [`Place`]'s kinds.
    pub place: u32,
    pub reserved: u32,
}

/// Tells the body segments that were held back.
///
/// # Safety
///
/// `socket` and `direction` must belong together.
#[inline(always)]
pub unsafe fn tell_held(socket: *mut Socket, direction: *mut Direction, flags: u32) {
    // SAFETY: values of the socket's storage.
    unsafe {
        if (*direction).held_length == 0 {
            return;
        }
        emit(Counter::RING_SEGMENT, || Body {
            header: Header { kind: Kind::BODY, flags, at_ns: (*direction).held_at_ns, cookie: (*socket).owner.cookie },
            seq: (*direction).held_seq,
            length: (*direction).held_length,
            segments: (*direction).held_segments,
            reserved: 0,
        });
        (*direction).held_length = 0;
    }
}

/// Payload of a socket that is followed.
///
/// # Safety
///
/// `skb` must be the program's context and `socket` the storage of its socket.
#[inline(always)]
pub unsafe fn followed(skb: *mut __sk_buff, socket: *mut Socket, payload: &mut Payload) {
    // SAFETY: values of the socket's storage; helpers with checked sizes.
    unsafe {
        let inbound = payload.direction == SegmentFlags::INBOUND;
        let me = if inbound { Socket::INBOUND } else { Socket::OUTBOUND };
        let direction = if inbound { addr_of_mut!((*socket).inbound) } else { addr_of_mut!((*socket).outbound) };
        let turned = (*socket).last_direction != me;
        let fresh = (*socket).last_direction == 0 && (*socket).flags & Socket::FOUND == 0;
        let mut start = start_at(skb, payload.offset, payload.length);
        let place = (*direction).place(payload.seq, payload.length, turned, start);
        if place.kind == Place::REPEATED {
            count(Counter::SEGMENTS_REPEATED);
            return;
        }
        if place.kind != Place::IN_ORDER {
            count(Counter::SEGMENTS_AHEAD);
        }
        (*socket).last_direction = me;
        if (*socket).flags & Socket::NOT_HTTP != 0 {
            count(Counter::SEGMENTS_NOT_HTTP);
            return;
        }

        let mut flags = payload.direction;
        if place.kind == Place::IN_ORDER && tail_ends(skb, direction, payload) {
            flags |= SegmentFlags::LAST_CHUNK;
        }
        let position = place.skip;
        if position != 0 {
            start = start_at(skb, payload.offset + position, payload.length - position);
        }
        if fresh && place.kind == Place::IN_ORDER && start == Start::NOTHING {
            (*socket).flags |= Socket::NOT_HTTP;
            tell_body(socket, payload, position, flags | SegmentFlags::NOT_HTTP);
            return;
        }
        if start == Start::HTTP2 {
            (*socket).flags |= Socket::NOT_HTTP;
            tell_body(socket, payload, position, flags | SegmentFlags::HTTP2);
            return;
        }
        payload.skip = position;
        payload.flags = flags;
        payload.place = place.kind;
        if (*direction).wants(start, turned) {
            tell_heads(skb, socket, direction, payload);
        } else {
            hold_or_tell_body(socket, direction, payload);
        }
        (*direction).segment_told();
    }
}

/// A segment of a body: told when it may be the last of its message, else held back until the next one.
#[inline(always)]
unsafe fn hold_or_tell_body(socket: *mut Socket, direction: *mut Direction, payload: &Payload) {
    let (position, flags) = (payload.skip, payload.flags);
    // SAFETY: values of the socket's storage.
    unsafe {
        if payload.place != Place::IN_ORDER {
            tell_body(socket, payload, position, flags);
            return;
        }
        (*direction).hold(payload.seq.wrapping_add(position), payload.length - position, payload.at_ns);
        if payload.pushed != 0 || flags & SegmentFlags::LAST_CHUNK != 0 || (*direction).held_length > MAX_HELD_BYTES {
            tell_held(socket, direction, flags);
        }
    }
}

/// A segment with heads in it.
#[inline(always)]
unsafe fn tell_heads(skb: *mut __sk_buff, socket: *mut Socket, direction: *mut Direction, payload: &Payload) {
    let (mut position, flags, place) = (payload.skip, payload.flags, payload.place);
    // SAFETY: values of the socket's storage; helpers with checked sizes.
    unsafe {
        tell_held(socket, direction, payload.direction);
        let begun = (*direction).begin_head();
        // What arrives ahead of its turn must not disturb the search in what comes before it.
        let apart = place != Place::IN_ORDER && begun;
        let head_end = if apart { HeadEnd::new() } else { (*direction).head_end };
        let mut piece = Piece::new(payload.at_ns, bpf_skb_cgroup_id(skb), head_end, flags);
        let mut number = 0;
        while number < MAX_PIECES && position < payload.length {
            let result = tell_at(skb, &raw mut (*socket).owner, &mut piece, payload, position);
            if result & FAILED != 0 {
                (*direction).flags &= !Direction::IN_HEAD;
                return;
            }
            if result & SWITCHED != 0 {
                (*socket).flags |= Socket::NOT_HTTP;
            }
            if !apart {
                (*direction).head_end = piece.head_end;
            }
            (*direction).told(place, piece.told, begun, result & ENDED != 0);
            position += piece.told;
            if position >= payload.length {
                if (*direction).head_bytes > MAX_HEAD_BYTES {
                    (*direction).flags &= !Direction::IN_HEAD;
                    count(Counter::HEAD_TRUNCATED);
                }
                return;
            }
            if result & ENDED != 0 {
                piece.head_end = HeadEnd::new();
            }
            number += 1;
        }
        // More heads, or a longer one, than there are pieces.
        (*direction).flags &= !Direction::IN_HEAD;
        count(Counter::HEAD_TRUNCATED);
        tell_body(socket, payload, position, flags | SegmentFlags::TRUNCATED);
    }
}

/// Payload that arrived at a listener: the connection has no socket of its own yet, so nothing is remembered.
///
/// # Safety
///
/// `skb` must be the program's context.
#[inline(always)]
pub unsafe fn at_listener(skb: *mut __sk_buff, payload: &Payload) {
    // SAFETY: helpers with checked sizes.
    unsafe {
        if start_at(skb, payload.offset, payload.length) == Start::NOTHING {
            return;
        }
        let mut owner = Owner {
            cookie: bpf_get_socket_cookie(skb.cast()),
            netns: if features::has_skb_netns() != 0 { bpf_get_netns_cookie(skb.cast()) } else { 0 },
            tuple: tuples::of_inbound_packet(skb, payload.source_port, payload.destination_port),
        };
        let flags = payload.direction | SegmentFlags::LISTENER;
        let mut piece = Piece::new(payload.at_ns, bpf_skb_cgroup_id(skb), HeadEnd::new(), flags);
        let mut position = 0;
        let mut number = 0;
        while number < MAX_PIECES && position < payload.length {
            let result = tell_at(skb, &raw mut owner, &mut piece, payload, position);
            if result & FAILED != 0 {
                return;
            }
            if result & ENDED != 0 {
                piece.head_end = HeadEnd::new();
            }
            position += piece.told;
            number += 1;
        }
    }
}

#[inline(always)]
unsafe fn tell_at(skb: *mut __sk_buff, owner: *mut Owner, piece: &mut Piece, payload: &Payload, position: u32) -> u32 {
    piece.offset = payload.offset + position;
    piece.left = payload.length - position;
    piece.seq = payload.seq.wrapping_add(position);
    pw_tell_piece(skb, owner, piece)
}

/// Whether the stream now ends with the last chunk of a chunked body.
#[inline(always)]
unsafe fn tail_ends(skb: *mut __sk_buff, direction: *mut Direction, payload: &Payload) -> bool {
    let mut word = [0_u8; 8];
    let size = bounded(payload.length, 8) as u32;
    // SAFETY: between 1 and 8 bytes into 8; the storage is the socket's.
    unsafe {
        let offset = payload.offset + payload.length - size;
        if bpf_skb_load_bytes(skb.cast(), offset, word.as_mut_ptr().cast(), size) != 0 {
            (*direction).last_chunk.reset();
            return false;
        }
        let bytes = u64::from_be_bytes(word) >> (8 * (8 - size) as u64);
        (*direction).ends_chunked(bytes, size)
    }
}

#[inline(always)]
unsafe fn tell_body(socket: *mut Socket, payload: &Payload, position: u32, flags: u32) {
    // SAFETY: values of the socket's storage.
    unsafe {
        emit(Counter::RING_SEGMENT, || Body {
            header: Header { kind: Kind::BODY, flags, at_ns: payload.at_ns, cookie: (*socket).owner.cookie },
            seq: payload.seq.wrapping_add(position),
            length: payload.length - position,
            segments: 1,
            reserved: 0,
        });
    }
}
