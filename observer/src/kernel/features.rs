//! Facts about the running kernel that switch parts of the programs on or off.

use std::path::Path;

use aya::{
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};

use super::btf;

/// Where the kernel tells its types.
pub(super) const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";

/// One fact: the name of a global of the object, and its value here.
pub(super) type Fact = (&'static str, u32);

/// Asks the running kernel.
pub(super) fn facts() -> Vec<Fact> {
    let places = btf::offsets(Path::new(VMLINUX_BTF), &[("sock", "sk_err"), ("tcp_sock", "srtt_us")]);
    let place = |field| places.get(field).copied().unwrap_or(0);
    vec![
        ("HAS_SKB_NETNS", helper(ProgramType::CgroupSkb, BpfHelper::BPF_FUNC_get_netns_cookie)),
        ("HAS_TASK_IN_SOCK_OPS", helper(ProgramType::SockOps, BpfHelper::BPF_FUNC_get_current_pid_tgid)),
        ("HAS_CGROUP_IN_SOCK_OPS", helper(ProgramType::SockOps, BpfHelper::BPF_FUNC_get_current_cgroup_id)),
        ("SK_ERR_OFFSET", place("sk_err")),
        ("SRTT_OFFSET", place("srtt_us")),
    ]
}

/// Whether programs of a type may call a helper. A probe that fails counts as no.
fn helper(program: ProgramType, helper: BpfHelper) -> u32 {
    u32::from(is_helper_supported(program, helper).unwrap_or(false))
}
