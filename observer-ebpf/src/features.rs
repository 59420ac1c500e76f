//! Facts about the running kernel, set by the loader before load.
//!
//! The map that holds them is frozen then, so the verifier takes them as constants and never looks at what they switch off:
//! helpers that an older kernel does not know, fields whose place is not known.

use core::ptr::read_volatile;

macro_rules! facts {
    ($($(#[doc = $doc:literal])+ $name:ident => $getter:ident;)+) => {
        $(
            #[unsafe(no_mangle)]
            static $name: u32 = 0;

            $(#[doc = $doc])+
            #[inline(always)]
            pub fn $getter() -> u32 {
                // SAFETY: a plain static; volatile, because the loader changes it after compilation.
                unsafe { read_volatile(&raw const $name) }
            }
        )+
    };
}

facts! {
    /// `bpf_get_netns_cookie` may be called from `cgroup_skb`.
    HAS_SKB_NETNS => has_skb_netns;
    /// `bpf_get_current_pid_tgid` may be called from `sock_ops`.
    HAS_TASK_IN_SOCK_OPS => has_task_in_sock_ops;
    /// `bpf_get_current_cgroup_id` may be called from `sock_ops`.
    HAS_CGROUP_IN_SOCK_OPS => has_cgroup_in_sock_ops;
    /// Place of `sk_err` in `struct sock`. 0: unknown.
    SK_ERR_OFFSET => sk_err_offset;
    /// Place of `srtt_us` in `struct tcp_sock`. 0: unknown.
    SRTT_OFFSET => srtt_offset;
    /// The places of a socket's ends, which follow, are known.
    HAS_SOCKET_ENDS => has_socket_ends;
    /// Place of `skc_family` in `struct sock_common`.
    FAMILY_OFFSET => family_offset;
    /// Place of `skc_rcv_saddr` in `struct sock_common`.
    LOCAL_V4_OFFSET => local_v4_offset;
    /// Place of `skc_daddr` in `struct sock_common`.
    REMOTE_V4_OFFSET => remote_v4_offset;
    /// Place of `skc_v6_rcv_saddr` in `struct sock_common`.
    LOCAL_V6_OFFSET => local_v6_offset;
    /// Place of `skc_v6_daddr` in `struct sock_common`.
    REMOTE_V6_OFFSET => remote_v6_offset;
    /// Place of `skc_dport` in `struct sock_common`.
    REMOTE_PORT_OFFSET => remote_port_offset;
    /// Place of `inet_sport` in `struct inet_sock`. It stays when the port itself is given back.
    LOCAL_PORT_OFFSET => local_port_offset;
}
