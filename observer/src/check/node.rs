//! The node's conntrack table.

use super::Finding;
use crate::nat::conntrack;

/// Whether conntrack can be read.
pub fn conntrack() -> Finding {
    let finding = |ok, detail: String, fix: Option<&str>| Finding {
        name: "conntrack".into(),
        ok,
        required: false,
        detail,
        lost_without: "the Service's choice of a pod is unknown for connections that were refused or never answered"
            .into(),
        fix: fix.map(Into::into),
    };
    let mut entries = 0;
    match conntrack::probe(|| entries += 1) {
        Ok(()) => finding(true, format!("{entries} TCP entries in this network namespace"), None),
        Err(error) => finding(
            false,
            error.to_string(),
            Some("give CAP_NET_ADMIN, run in the node's network namespace (hostNetwork), load nf_conntrack_netlink"),
        ),
    }
}
