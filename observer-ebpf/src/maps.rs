//! The maps, and the few things done with them everywhere.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_SK_STORAGE_GET_F_CREATE},
    btf_maps::SkStorage,
    helpers::generated::bpf_sk_storage_get,
    macros::{btf_map, map},
    maps::{Array, LruHashMap, PerCpuArray, RingBuf, ring_buf::RingBufEntry},
};
use observer_ebpf::{http::Socket, wire::Counter};

/// Room for about 80,000 requests between two drains: on a node whose processors are all busy the agent may not run for seconds.
const RING_BYTES: u32 = 32 * 1024 * 1024;
/// The reader is woken once this much waits; below that it comes by its timer.
const WAKE_BYTES: u64 = RING_BYTES as u64 / 4;

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT, 0);

/// One bit a port.
#[map]
static PORTS: Array<u64> = Array::with_max_entries(65_536 / 64, 0);

/// Threads on their way from `connect()` to the SYN, by socket cookie. Only for kernels that do not tell the thread in
/// `sock_ops`; entries live for microseconds.
#[map]
pub static CONNECTING: LruHashMap<u64, u64> = LruHashMap::with_max_entries(4096, 0);

#[btf_map]
static SOCKETS: SkStorage<Socket> = SkStorage::new();

/// Counts.
#[inline(always)]
pub fn count(counter: u32) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter) {
        // SAFETY: the slot belongs to this CPU.
        unsafe { *value += 1 };
    }
}

/// Whether a port is watched.
#[inline(always)]
pub fn is_watched(port: u32) -> bool {
    match PORTS.get((port >> 6) & 1023) {
        Some(word) => word >> (port & 63) & 1 != 0,
        None => false,
    }
}

/// The state of a watched socket. Null: not watched.
///
/// # Safety
///
/// `sk` must be what the hook's verifier takes for a socket.
#[inline(always)]
pub unsafe fn socket(sk: *mut c_void) -> *mut Socket {
    // SAFETY: checked by the verifier; the helper returns null or a value of the map.
    unsafe { bpf_sk_storage_get((&raw const SOCKETS).cast_mut().cast(), sk, core::ptr::null_mut(), 0).cast() }
}

/// The same, made when it does not exist. Null: it could not be made (counted).
///
/// # Safety
///
/// As for [`socket`].
#[inline(always)]
pub unsafe fn make_socket(sk: *mut c_void) -> *mut Socket {
    // SAFETY: as above.
    let socket = unsafe { create(sk) };
    if !socket.is_null() {
        return socket;
    }
    // Of two CPUs that make it at once the kernel gives null to the one that comes second; it is there by now.
    // SAFETY: as above.
    let socket = unsafe { create(sk) };
    if socket.is_null() {
        count(Counter::NO_STORAGE);
    }
    socket
}

/// # Safety
///
/// As for [`socket`].
#[inline(always)]
unsafe fn create(sk: *mut c_void) -> *mut Socket {
    let (map, flags) = ((&raw const SOCKETS).cast_mut().cast(), BPF_SK_STORAGE_GET_F_CREATE as u64);
    // SAFETY: checked by the verifier; the helper returns null or a value of the map.
    unsafe { bpf_sk_storage_get(map, sk, core::ptr::null_mut(), flags).cast() }
}

/// Room in the ring buffer. `None`: full, and counted under `lost`.
#[inline(always)]
pub fn reserve<T: 'static>(lost: u32) -> Option<RingBufEntry<T>> {
    let entry = EVENTS.reserve::<T>(0);
    if entry.is_none() {
        count(lost);
    }
    entry
}

/// Hands an entry over.
#[inline(always)]
pub fn submit<T>(entry: RingBufEntry<T>) {
    let waiting = EVENTS.query(BPF_RB_AVAIL_DATA as u64);
    let flags = if waiting > WAKE_BYTES { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
    entry.submit(flags as u64);
}

/// Reserves, writes what `value` makes, hands over. The value is made in place: a BPF program has little stack.
#[inline(always)]
pub fn emit<T: 'static>(lost: u32, value: impl FnOnce() -> T) {
    if let Some(mut entry) = reserve::<T>(lost) {
        entry.write(value());
        submit(entry);
    }
}
