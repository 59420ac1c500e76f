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
}
