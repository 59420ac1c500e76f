//! Searching captured bytes, as functions of their own.
//!
//! They are global BPF functions: the verifier looks at each once, for any argument, instead of once for every way that
//! leads to a call. Loops over a thousand bytes inside of other loops would else exceed what it is willing to look at.

use observer_ebpf::{
    http::{HeadEnd, scan_words, wipe_words},
    wire::{LARGE_CAPTURE, SMALL_CAPTURE},
};

/// Room for captured bytes, and one word for the zeros behind them.
pub trait Data: 'static {
    /// Bytes that fit.
    const CAPACITY: u64;
    /// See [`scan_words`].
    fn scan(data: *mut Self, length: u32, state: *mut HeadEnd) -> u32;
    /// See [`wipe_words`].
    fn wipe(data: *mut Self, begin: u32, end: u32);
}

macro_rules! data {
    ($name:ident, $capture:ident, $scan:ident, $wipe:ident) => {
        /// Captured bytes as words.
        #[repr(C)]
        pub struct $name {
            words: [u64; $capture / 8 + 1],
        }

        impl Data for $name {
            const CAPACITY: u64 = $capture as u64;

            #[inline(always)]
            fn scan(data: *mut Self, length: u32, state: *mut HeadEnd) -> u32 {
                $scan(data, length, state)
            }

            #[inline(always)]
            fn wipe(data: *mut Self, begin: u32, end: u32) {
                $wipe(data, begin, end);
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $scan(data: *mut $name, length: u32, state: *mut HeadEnd) -> u32 {
            if data.is_null() || state.is_null() {
                return 0;
            }
            // SAFETY: not null, and as large as their types, which the verifier checks at each call.
            unsafe { scan_words(&mut *state, (&raw const (*data).words).cast(), $capture as u32 / 8, length) }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $wipe(data: *mut $name, begin: u32, end: u32) -> u32 {
            if data.is_null() {
                return 0;
            }
            // SAFETY: as above.
            unsafe { wipe_words((&raw mut (*data).words).cast(), $capture as u32 / 8, begin, end) };
            0
        }
    };
}

data!(SmallData, SMALL_CAPTURE, pw_scan_small, pw_wipe_small);
data!(LargeData, LARGE_CAPTURE, pw_scan_large, pw_wipe_large);
