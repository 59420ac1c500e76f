//! The DaemonSet itself.

use anyhow::{Result, ensure};

use crate::bench::Bench;

/// No `privileged`, and its own check is green from inside.
pub fn unprivileged_and_green(bench: &Bench) -> Result<()> {
    let arguments = ["--namespace=podwitness", "get", "pods", "--output=json"];
    let pods: serde_json::Value = serde_json::from_str(&bench.cluster.kubectl(&arguments)?)?;
    let items = pods["items"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(items.len() == 1, "{} observer pods on one node", items.len());
    for container in items.iter().filter_map(|pod| pod["spec"]["containers"].as_array()).flatten() {
        let context = &container["securityContext"];
        ensure!(context["privileged"] != true, "privileged: {context}");
        ensure!(context["allowPrivilegeEscalation"] == false, "{context}");
        ensure!(context["readOnlyRootFilesystem"] == true, "{context}");
    }
    ensure!(items.iter().all(|pod| pod["spec"]["hostPID"] != true), "hostPID is set");
    let check = ["--namespace=podwitness", "exec", "daemonset/observer", "--", "/observer", "check"];
    bench.cluster.kubectl(&check)?;
    Ok(())
}
