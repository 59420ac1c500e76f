//! What the node says of itself.

use std::fs;

use crate::api::Clock;
use crate::clock::{monotonic_ns, realtime_ns};

fn line(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Kernel release, as `uname -r` has it; empty when it cannot be read.
pub fn kernel_release() -> String {
    line("/proc/sys/kernel/osrelease")
}

/// Boot id; empty when it cannot be read.
pub fn boot_id() -> String {
    line("/proc/sys/kernel/random/boot_id")
}

/// Host name.
pub fn host_name() -> String {
    line("/proc/sys/kernel/hostname")
}

/// Both clocks, read together: the wall clock between two readings of the monotonic one.
pub fn clock(node: String) -> Clock {
    let before = monotonic_ns();
    let realtime_ns = realtime_ns();
    let monotonic_ns = before + (monotonic_ns() - before) / 2;
    Clock { node, boot_id: boot_id(), monotonic_ns, realtime_ns }
}
