//! The BPF object. Only meaningful for the BPF target; on a host it is an empty program.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(not(target_arch = "bpf"))]
fn main() {}
