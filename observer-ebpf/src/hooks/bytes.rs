//! Reading bytes of a packet within bounds that every verifier can follow.

use core::ptr::read_volatile;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};
use observer_ebpf::{http::Start, wire::Counter};

use crate::maps::count;

/// `value` (at least 1), at most `most` (a power of two): an opaque value, masked, plus one. Verifiers before 6.8 learn
/// nothing from a mere comparison with zero.
#[inline(always)]
pub fn bounded(value: u32, most: u64) -> u64 {
    let mut less_one = u64::from(value).wrapping_sub(1);
    if less_one > most - 1 {
        less_one = most - 1;
    }
    // SAFETY: a plain local.
    (unsafe { read_volatile(&raw const less_one) } & (most - 1)) + 1
}

/// What the bytes at `offset`, of which there are `left`, may begin.
#[inline(always)]
pub unsafe fn start_at(skb: *mut __sk_buff, offset: u32, left: u32) -> u32 {
    let mut word = [0_u8; 8];
    // SAFETY: between 1 and 8 bytes into 8.
    let failed = unsafe { bpf_skb_load_bytes(skb.cast(), offset, word.as_mut_ptr().cast(), bounded(left, 8) as u32) };
    if failed != 0 {
        count(Counter::UNREADABLE);
        return Start::NOTHING;
    }
    Start::of(u64::from_le_bytes(word), left)
}
