//! Fields of the kernel's structs, at places that the loader found.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// Four bytes at `offset` of `sk`; 0 when they cannot be read.
///
/// # Safety
///
/// A bad address gives an error, not a fault; a wrong offset gives a wrong number.
#[inline(always)]
pub unsafe fn read(sk: *mut c_void, offset: u32) -> u32 {
    // SAFETY: as above.
    unsafe { bpf_probe_read_kernel(sk.cast::<u8>().add(offset as usize).cast::<u32>()) }.unwrap_or(0)
}
