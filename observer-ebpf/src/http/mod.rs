//! HTTP/1.x as far as the kernel needs it.
