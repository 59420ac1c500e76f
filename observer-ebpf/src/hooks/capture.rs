//! What of a payload leaves the kernel: heads, not bodies.

use core::ptr::{addr_of_mut, read_volatile};

use aya_ebpf::{
    bindings::{__sk_buff, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_skb_cgroup_id, bpf_skb_load_bytes},
};
use observer_ebpf::{
    http::{Direction, HeadEnd, Place, Socket, Start, is_switching_protocols},
    wire::{Body, Counter, Header, Kind, LARGE_CAPTURE, SMALL_CAPTURE, Segment, SegmentFlags, Tuple},
};

use crate::{
    features,
    hooks::scan::{Data, LargeData, SmallData},
    maps::{count, emit, reserve, submit},
    tuples,
};

/// Records that one segment may take for its heads: 4 KiB of head in one segment.
const MAX_PIECES: u32 = 4;
/// A head may be this long over all its segments. The usual servers refuse longer ones.
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// Body bytes held back at most, so that the time of a long body's progress is known.
const MAX_HELD_BYTES: u32 = 4 * 1024 * 1024;

/// The payload of a packet.
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
}

/// What identifies the socket in a record.
struct Owner {
    cookie: u64,
    netns: u64,
    cgroup: u64,
    tuple: Tuple,
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
        emit(
            Body {
                header: Header { kind: Kind::BODY, flags, at_ns: (*direction).held_at_ns, cookie: (*socket).cookie },
                seq: (*direction).held_seq,
                length: (*direction).held_length,
                segments: (*direction).held_segments,
                reserved: 0,
            },
            Counter::RING_SEGMENT,
        );
        (*direction).held_length = 0;
    }
}

/// Payload of a socket that is followed.
///
/// # Safety
///
/// `skb` must be the program's context and `socket` the storage of its socket.
#[inline(always)]
pub unsafe fn followed(skb: *mut __sk_buff, socket: *mut Socket, payload: &Payload) {
    // SAFETY: values of the socket's storage; helpers with checked sizes.
    unsafe {
        let inbound = payload.direction == SegmentFlags::INBOUND;
        let me = if inbound { Socket::INBOUND } else { Socket::OUTBOUND };
        let direction = if inbound { addr_of_mut!((*socket).inbound) } else { addr_of_mut!((*socket).outbound) };
        let turned = (*socket).last_direction != me;
        let fresh = (*socket).last_direction == 0 && (*socket).flags & Socket::FOUND == 0;
        let mut start = start_at(skb, payload, 0);
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
        if place.kind == Place::IN_ORDER {
            let ends = tail_ends(skb, direction, payload);
            if ends {
                flags |= SegmentFlags::LAST_CHUNK;
            }
        }
        let position = place.skip;
        if position != 0 {
            start = start_at(skb, payload, position);
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
        if (*direction).wants(start, turned) {
            tell_heads(skb, socket, direction, payload, position, flags, place.kind);
        } else {
            hold_or_tell_body(socket, direction, payload, position, flags, place.kind);
        }
        (*direction).segment_told();
    }
}

/// A segment of a body: told when it may be the last of its message, else held back until the next one.
#[inline(always)]
unsafe fn hold_or_tell_body(
    socket: *mut Socket,
    direction: *mut Direction,
    payload: &Payload,
    position: u32,
    flags: u32,
    place: u32,
) {
    // SAFETY: values of the socket's storage.
    unsafe {
        if place != Place::IN_ORDER {
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
unsafe fn tell_heads(
    skb: *mut __sk_buff,
    socket: *mut Socket,
    direction: *mut Direction,
    payload: &Payload,
    mut position: u32,
    flags: u32,
    place: u32,
) {
    // SAFETY: values of the socket's storage; helpers with checked sizes.
    unsafe {
        tell_held(socket, direction, payload.direction);
        let owner = Owner {
            cookie: (*socket).cookie,
            netns: (*socket).netns,
            cgroup: bpf_skb_cgroup_id(skb),
            tuple: (*socket).tuple,
        };
        let begun = (*direction).begin_head();
        // What arrives ahead of its turn must not disturb the search in what comes before it.
        let apart = place != Place::IN_ORDER && begun;
        let mut head_end = if apart { HeadEnd::new() } else { (*direction).head_end };
        let mut piece = 0;
        while piece < MAX_PIECES {
            let step = tell_piece(skb, &owner, payload, position, flags, &mut head_end);
            if step.failed {
                (*direction).flags &= !Direction::IN_HEAD;
                return;
            }
            if step.switched {
                (*socket).flags |= Socket::NOT_HTTP;
            }
            if !apart {
                (*direction).head_end = head_end;
            }
            (*direction).told(place, step.told, begun, step.ended);
            if step.ended {
                head_end = HeadEnd::new();
            }
            position += step.told;
            if position >= payload.length {
                if (*direction).head_bytes > MAX_HEAD_BYTES {
                    (*direction).flags &= !Direction::IN_HEAD;
                    count(Counter::HEAD_TRUNCATED);
                }
                return;
            }
            piece += 1;
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
        if start_at(skb, payload, 0) == Start::NOTHING {
            return;
        }
        let owner = Owner {
            cookie: bpf_get_socket_cookie(skb.cast()),
            netns: if features::has_skb_netns() != 0 { bpf_get_netns_cookie(skb.cast()) } else { 0 },
            cgroup: bpf_skb_cgroup_id(skb),
            tuple: tuples::of_inbound_packet(skb, payload.source_port, payload.destination_port),
        };
        let flags = payload.direction | SegmentFlags::LISTENER;
        let mut position = 0;
        let mut piece = 0;
        let mut head_end = HeadEnd::new();
        while piece < MAX_PIECES && position < payload.length {
            let step = tell_piece(skb, &owner, payload, position, flags, &mut head_end);
            if step.failed {
                return;
            }
            position += step.told;
            piece += 1;
        }
    }
}

/// What one record told.
struct Step {
    /// Bytes of the payload it stands for.
    told: u32,
    /// The head ended in it.
    ended: bool,
    /// The answer switches protocols.
    switched: bool,
    /// There was no room for it, or the packet could not be read (counted).
    failed: bool,
}

const FAILED: Step = Step { told: 0, ended: false, switched: false, failed: true };

#[inline(always)]
unsafe fn tell_piece(
    skb: *mut __sk_buff,
    owner: &Owner,
    payload: &Payload,
    position: u32,
    flags: u32,
    head_end: &mut HeadEnd,
) -> Step {
    // SAFETY: as for the caller.
    unsafe {
        if payload.length - position <= SMALL_CAPTURE as u32 {
            tell::<SmallData>(skb, owner, payload, position, flags, head_end)
        } else {
            tell::<LargeData>(skb, owner, payload, position, flags, head_end)
        }
    }
}

/// A segment's record.
#[repr(C)]
struct Record<D> {
    segment: Segment,
    data: D,
}

#[inline(always)]
unsafe fn tell<D: Data>(
    skb: *mut __sk_buff,
    owner: &Owner,
    payload: &Payload,
    position: u32,
    flags: u32,
    head_end: &mut HeadEnd,
) -> Step {
    let left = payload.length - position;
    let Some(mut entry) = reserve::<Record<D>>(Counter::RING_SEGMENT) else { return FAILED };
    let record = entry.as_mut_ptr();
    // SAFETY: the record is ours until it is submitted; sizes are provably within it.
    unsafe {
        let captured = bounded(left, D::CAPACITY);
        let data = (&raw mut (*record).data).cast::<u8>();
        // The scan reads whole words: nothing old may stand behind the captured bytes.
        data.add((captured as usize >> 3) << 3).cast::<u64>().write(0);
        if bpf_skb_load_bytes(skb.cast(), payload.offset + position, data.cast(), captured as u32) != 0 {
            count(Counter::UNREADABLE);
            entry.discard(BPF_RB_NO_WAKEUP as u64);
            return FAILED;
        }
        let head = D::scan(&raw mut (*record).data, captured as u32, head_end);
        let mut told = captured as u32;
        let mut kept = captured as u32;
        let mut all_flags = flags & !SegmentFlags::LAST_CHUNK;
        if head != 0 {
            all_flags |= SegmentFlags::HEAD_END;
            kept = head;
            // A further head right behind this one is told by a record of its own; a body belongs to this one.
            let more = left > head && start_at(skb, payload, position + head) >= Start::REQUEST;
            told = if more { head } else { left };
            D::wipe(&raw mut (*record).data, head, captured as u32);
        }
        if told == left {
            all_flags |= flags & SegmentFlags::LAST_CHUNK;
        }
        let first = u64::from_le(data.cast::<u64>().read());
        let second = u64::from_le(data.cast::<u64>().add(1).read());
        let switched = Start::of(first, 8) == Start::RESPONSE && is_switching_protocols(second);
        (*record).segment = Segment {
            header: Header { kind: Kind::SEGMENT, flags: all_flags, at_ns: payload.at_ns, cookie: owner.cookie },
            tuple: owner.tuple,
            cgroup: owner.cgroup,
            netns: owner.netns,
            seq: payload.seq.wrapping_add(position),
            length: told,
            captured: kept,
            reserved: 0,
        };
        submit(entry);
        Step { told, ended: head != 0, switched, failed: false }
    }
}

/// `value` (at least 1), at most `most` (a power of two), in a way that the verifiers of old kernels can follow: an opaque
/// value, masked, plus one.
#[inline(always)]
fn bounded(value: u32, most: u64) -> u64 {
    let mut less_one = u64::from(value).wrapping_sub(1);
    if less_one > most - 1 {
        less_one = most - 1;
    }
    // SAFETY: a plain local.
    (unsafe { read_volatile(&raw const less_one) } & (most - 1)) + 1
}

/// What the payload's bytes at `position` may begin.
#[inline(always)]
unsafe fn start_at(skb: *mut __sk_buff, payload: &Payload, position: u32) -> u32 {
    let left = payload.length - position;
    let mut word = [0_u8; 8];
    // SAFETY: between 1 and 8 bytes into 8.
    let failed = unsafe {
        bpf_skb_load_bytes(skb.cast(), payload.offset + position, word.as_mut_ptr().cast(), bounded(left, 8) as u32)
    };
    if failed != 0 {
        count(Counter::UNREADABLE);
        return Start::NOTHING;
    }
    Start::of(u64::from_le_bytes(word), left)
}

/// Whether the stream now ends with the last chunk of a chunked body.
#[inline(always)]
unsafe fn tail_ends(skb: *mut __sk_buff, direction: *mut Direction, payload: &Payload) -> bool {
    let mut word = [0_u8; 8];
    let size = bounded(payload.length, 8) as u32;
    // SAFETY: between 1 and 8 bytes into 8; the storage is the socket's.
    unsafe {
        if bpf_skb_load_bytes(skb.cast(), payload.offset + payload.length - size, word.as_mut_ptr().cast(), size) != 0 {
            (*direction).last_chunk.reset();
            return false;
        }
        let bytes = u64::from_be_bytes(word) >> (8 * (8 - size) as u64);
        (*direction).last_chunk.take(bytes, size)
    }
}

#[inline(always)]
unsafe fn tell_body(socket: *mut Socket, payload: &Payload, position: u32, flags: u32) {
    // SAFETY: values of the socket's storage.
    unsafe {
        emit(
            Body {
                header: Header { kind: Kind::BODY, flags, at_ns: payload.at_ns, cookie: (*socket).cookie },
                seq: payload.seq.wrapping_add(position),
                length: payload.length - position,
                segments: 1,
                reserved: 0,
            },
            Counter::RING_SEGMENT,
        );
    }
}
