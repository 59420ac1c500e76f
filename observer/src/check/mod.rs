//! What this machine offers, and what will be missing, before anything is attached.

use std::path::Path;

use serde::Serialize;

use crate::kernel;

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

/// Looks at everything. `cgroup`: where the programs would be attached.
pub async fn all(cgroup: Option<&Path>, with_kubernetes: bool) -> Vec<Finding> {
    let mut findings = programs(cgroup);
    findings.push(node::pod_cgroups(cgroup));
    findings.push(node::pressure());
    findings.push(node::conntrack());
    if with_kubernetes {
        findings.extend(cluster::api_server().await);
    }
    findings
}

/// The kernel part's shallow look for the same thing as [`node::pod_cgroups`].
const KERNEL_POD_CGROUPS: &str = "pods' cgroups";

/// Looks at what the eBPF programs need.
pub fn programs(cgroup: Option<&Path>) -> Vec<Finding> {
    let own = |finding: kernel::Finding| Finding {
        lost_without: lost_without(&finding).into(),
        name: finding.name.replace(' ', "_").to_lowercase(),
        ok: finding.ok,
        required: finding.required,
        detail: finding.detail,
        fix: finding.fix,
    };
    // Ours looks at any depth, as the scan for pods does.
    kernel::probe_at(cgroup).into_iter().filter(|finding| finding.name != KERNEL_POD_CGROUPS).map(own).collect()
}

fn lost_without(finding: &kernel::Finding) -> &'static str {
    match finding.name {
        _ if finding.required => "everything: the agent does not run",
        "program statistics" => "the programs' own cost",
        _ => "nothing at present",
    }
}
