//! The kernel side of podwitness: wire types and HTTP message state (library), eBPF programs (binary).
