//! What the kernel tells of a loaded program beside its descriptor.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::Ebpf;

/// The lines of `/proc/self/fdinfo` for that program. `None`: it is not loaded.
pub(super) fn of(ebpf: &Ebpf, program: &str) -> Option<String> {
    let fd = ebpf.program(program)?.fd().ok()?.as_fd().as_raw_fd();
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()
}

/// A number among them.
pub(super) fn number(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let info = "prog_type:\t26\nrun_time_ns:\t17\nrun_cnt:\t3\nrecursion_misses:\t2\n";
        assert_eq!(number(info, "run_cnt"), Some(3));
        assert_eq!(number(info, "recursion_misses"), Some(2));
        assert_eq!(number(info, "run"), None);
    }
}
