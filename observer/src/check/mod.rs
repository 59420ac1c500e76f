//! What this machine offers, and what will be missing, before anything is attached.

use serde::Serialize;

mod cluster;
mod node;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// It is as it should be.
    pub ok: bool,
    /// The agent does not run without it.
    pub required: bool,
    /// What was found.
    pub detail: String,
    /// What is lost without it.
    pub lost_without: String,
    /// What to do, when something is wrong.
    pub fix: Option<String>,
}

/// Looks at everything.
pub async fn all(with_kubernetes: bool) -> Vec<Finding> {
    let mut findings = required();
    findings.push(node::pods_cgroup());
    findings.push(node::conntrack());
    if with_kubernetes {
        findings.extend(cluster::api_server().await);
    }
    findings
}

/// Looks at what the eBPF programs need.
pub fn required() -> Vec<Finding> {
    let own = |finding: crate::kernel::Finding| Finding {
        name: finding.name.into(),
        ok: finding.ok,
        required: finding.required,
        lost_without: if finding.required { "everything: the agent does not run".into() } else { String::new() },
        detail: finding.detail,
        fix: finding.fix,
    };
    crate::kernel::probe().into_iter().map(own).collect()
}
