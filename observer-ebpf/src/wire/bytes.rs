//! Reading a wire type from the bytes of a record.

/// A `repr(C)` type without padding that accepts any bit pattern.
///
/// # Safety
///
/// The type must be `repr(C)`, free of implicit padding, and valid for every pattern of its bytes.
pub unsafe trait Wire: Copy {
    /// Reads the value at the start of `bytes`. `None`: too short.
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < size_of::<Self>() {
            return None;
        }
        // SAFETY: there are enough bytes, any pattern of them is a valid value, and no alignment is assumed.
        Some(unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    /// The value's bytes, as the kernel would have written them. For tests and recordings.
    fn bytes(&self) -> &[u8] {
        // SAFETY: the type has no padding, so each of its bytes is initialised.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast::<u8>(), size_of::<Self>()) }
    }
}
