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

/// Where both ends of a socket stand: struct, field, and the global that takes its place.
const SOCKET_ENDS: [(&str, &str, &str); 7] = [
    ("sock_common", "skc_family", "FAMILY_OFFSET"),
    ("sock_common", "skc_rcv_saddr", "LOCAL_V4_OFFSET"),
    ("sock_common", "skc_daddr", "REMOTE_V4_OFFSET"),
    ("sock_common", "skc_v6_rcv_saddr", "LOCAL_V6_OFFSET"),
    ("sock_common", "skc_v6_daddr", "REMOTE_V6_OFFSET"),
    ("sock_common", "skc_dport", "REMOTE_PORT_OFFSET"),
    ("inet_sock", "inet_sport", "LOCAL_PORT_OFFSET"),
];

/// Asks the running kernel.
pub(super) fn facts() -> Vec<Fact> {
    let mut fields = vec![("sock", "sk_err"), ("tcp_sock", "srtt_us")];
    fields.extend(SOCKET_ENDS.map(|(structure, field, _)| (structure, field)));
    let places = btf::offsets(Path::new(VMLINUX_BTF), &fields);
    let place = |field| places.get(field).copied().unwrap_or(0);
    let ends_known = SOCKET_ENDS.iter().all(|(_, field, _)| places.contains_key(field));
    let mut facts = vec![
        ("HAS_SKB_NETNS", helper(ProgramType::CgroupSkb, BpfHelper::BPF_FUNC_get_netns_cookie)),
        ("HAS_TASK_IN_SOCK_OPS", helper(ProgramType::SockOps, BpfHelper::BPF_FUNC_get_current_pid_tgid)),
        ("HAS_CGROUP_IN_SOCK_OPS", helper(ProgramType::SockOps, BpfHelper::BPF_FUNC_get_current_cgroup_id)),
        ("SK_ERR_OFFSET", place("sk_err")),
        ("SRTT_OFFSET", place("srtt_us")),
        ("HAS_SOCKET_ENDS", u32::from(ends_known)),
    ];
    facts.extend(SOCKET_ENDS.map(|(_, field, fact)| (fact, place(field))));
    facts
}

/// Whether programs of a type may call a helper. A probe that fails counts as no.
fn helper(program: ProgramType, helper: BpfHelper) -> u32 {
    u32::from(is_helper_supported(program, helper).unwrap_or(false))
}
