//! One record of payload.
//!
//! A global BPF function: the verifier looks at it once, for any argument, instead of once for every way that leads to it. So
//! it is also where a program's instructions are best spent.

use aya_ebpf::{
    bindings::{__sk_buff, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_skb_load_bytes,
};
use observer_ebpf::{
    http::{HeadEnd, Owner, Start, is_switching_protocols},
    wire::{Counter, Header, Kind, SMALL_CAPTURE, Segment, SegmentFlags},
};

use super::{
    bytes::{bounded, start_at},
    scan::{Data, LargeData, SmallData},
};
use crate::maps::{count, reserve, submit};

/// What a record is to tell, and what came of it.
#[repr(C)]
pub struct Piece {
    pub at_ns: u64,
    pub cgroup: u64,
    /// Search for the end of the head.
    pub head_end: HeadEnd,
    /// Flags of the segment.
    pub flags: u32,
    /// Where the rest of the payload begins in the packet.
    pub offset: u32,
    /// Bytes of the rest, at least 1.
    pub left: u32,
    /// Sequence number of the first of them.
    pub seq: u32,
    /// Bytes that the record stands for. Set by [`pw_tell_piece`].
    pub told: u32,
    pub reserved: u32,
}

impl Piece {
    /// Nothing told yet.
    #[inline(always)]
    pub fn new(at_ns: u64, cgroup: u64, head_end: HeadEnd, flags: u32) -> Self {
        Self { at_ns, cgroup, head_end, flags, offset: 0, left: 0, seq: 0, told: 0, reserved: 0 }
    }
}

/// Bits of what [`pw_tell_piece`] returns.
pub const ENDED: u32 = 1;
/// The answer switches protocols.
pub const SWITCHED: u32 = 2;
/// There was no room, or the packet could not be read (counted).
pub const FAILED: u32 = 4;

/// Tells as much of the payload as fits into one record.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pw_tell_piece(skb: *mut __sk_buff, owner: *mut Owner, piece: *mut Piece) -> u32 {
    if skb.is_null() || owner.is_null() || piece.is_null() {
        return FAILED;
    }
    // SAFETY: not null; the verifier checks them at each call.
    unsafe {
        if (*piece).left == 0 {
            return FAILED;
        }
        if (*piece).left <= SMALL_CAPTURE as u32 {
            tell::<SmallData>(skb, owner, piece)
        } else {
            tell::<LargeData>(skb, owner, piece)
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
unsafe fn tell<D: Data>(skb: *mut __sk_buff, owner: *mut Owner, piece: *mut Piece) -> u32 {
    let Some(mut entry) = reserve::<Record<D>>(Counter::RING_SEGMENT) else { return FAILED };
    let record = entry.as_mut_ptr();
    // SAFETY: the record is ours until it is submitted; sizes are provably within it.
    unsafe {
        let left = (*piece).left;
        let captured = bounded(left, D::CAPACITY);
        let data = (&raw mut (*record).data).cast::<u8>();
        // The scan reads whole words: nothing old may stand behind the captured bytes.
        data.add((captured as usize >> 3) << 3).cast::<u64>().write(0);
        if bpf_skb_load_bytes(skb.cast(), (*piece).offset, data.cast(), captured as u32) != 0 {
            count(Counter::UNREADABLE);
            entry.discard(BPF_RB_NO_WAKEUP as u64);
            return FAILED;
        }
        let captured = captured as u32;
        let head = D::scan(&raw mut (*record).data, captured, &raw mut (*piece).head_end);
        let mut told = captured;
        let mut kept = captured;
        let mut flags = (*piece).flags;
        let mut result = 0;
        if head != 0 {
            result = ENDED;
            flags |= SegmentFlags::HEAD_END;
            kept = head;
            // A further head right behind this one is told by a record of its own; a body belongs to this one.
            let more = left > head && start_at(skb, (*piece).offset + head, left - head) >= Start::REQUEST;
            told = if more { head } else { left };
            D::wipe(&raw mut (*record).data, head, captured);
        }
        if told != left {
            flags &= !SegmentFlags::LAST_CHUNK;
        }
        let words = data.cast::<u64>();
        let is_answer = Start::of(u64::from_le(words.read()), 8) == Start::RESPONSE;
        if is_answer && is_switching_protocols(u64::from_le(words.add(1).read())) {
            result |= SWITCHED;
        }
        (*record).segment = Segment {
            header: Header { kind: Kind::SEGMENT, flags, at_ns: (*piece).at_ns, cookie: (*owner).cookie },
            tuple: (*owner).tuple,
            cgroup: (*piece).cgroup,
            netns: (*owner).netns,
            seq: (*piece).seq,
            length: told,
            captured: kept,
            reserved: 0,
        };
        submit(entry);
        (*piece).told = told;
        result
    }
}
