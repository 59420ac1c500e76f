//! The lab and the observer on a cluster: deployed, waited for, and put into a known state.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use podwitness_cluster::Cluster;

use crate::run::root;

/// Namespace of the lab.
pub const NAMESPACE: &str = "mlops-lab";
const ROLLOUT: Duration = Duration::from_secs(180);
// kube-proxy syncs at most once a second: "rollout complete" is not yet "reachable".
const REACHABLE: Duration = Duration::from_secs(30);

/// The lab on a cluster.
pub struct Lab<'a> {
    cluster: &'a Cluster,
}

impl<'a> Lab<'a> {
    /// On this cluster; nothing is changed yet.
    pub fn new(cluster: &'a Cluster) -> Self {
        Self { cluster }
    }

    /// Deploys the observer and waits until it has seen its own canary.
    pub fn install_observer(&self) -> Result<()> {
        self.apply("k8s/observer/overlays/local")?;
        let wait = ["--namespace=podwitness", "rollout", "status", "daemonset/observer", "--timeout=60s"];
        self.cluster.kubectl(&wait).with_context(|| self.describe_observer()).map(drop)
    }

    /// Deploys a kustomization below `k8s/lab` in place of the one before and waits until the gateway answers.
    pub fn deploy(&self, overlay: &str) -> Result<()> {
        self.apply(&format!("k8s/lab/{overlay}"))?;
        for deployment in ["ml-inference", "api-gateway"] {
            self.cluster.wait_rollout(NAMESPACE, deployment, ROLLOUT)?;
        }
        self.wait_until_reachable()?;
        self.forget_unanswered()
    }

    /// Removes conntrack entries of connection attempts that nobody answered. They live for 120 s and would send new
    /// connections to pods of an earlier experiment: real, but a failure of that experiment, not of the next.
    pub fn forget_unanswered(&self) -> Result<()> {
        let mut delete = self.cluster.node_command("conntrack");
        // conntrack ends with 1 when nothing matched.
        let output =
            delete.args(["-D", "-p", "tcp", "--state", "SYN_SENT"]).output().context("cannot run conntrack")?;
        match output.status.code() {
            Some(0 | 1) => Ok(()),
            _ => bail!("conntrack -D: {}", String::from_utf8_lossy(&output.stderr).trim()),
        }
    }

    fn apply(&self, folder: &str) -> Result<()> {
        let folder = root().join(folder);
        // Client-side apply: it also removes what an earlier overlay had set and this one has not.
        self.cluster.kubectl(&["apply", "--kustomize", &folder.to_string_lossy()]).map(drop).map_err(Into::into)
    }

    fn wait_until_reachable(&self) -> Result<()> {
        let url = format!("{}/predict", self.cluster.gateway_url());
        let end = Instant::now() + REACHABLE;
        loop {
            let mut curl = self.cluster.client_command("curl");
            let output = curl.args(["--silent", "--fail", "--output", "/dev/null", "--max-time", "2", &url]).output();
            if output.context("cannot run curl")?.status.success() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{url} does not answer although both rollouts are complete");
            }
            sleep(Duration::from_millis(200));
        }
    }

    fn describe_observer(&self) -> String {
        let logs = ["--namespace=podwitness", "logs", "daemonset/observer", "--tail=20"];
        let pods = ["--namespace=podwitness", "get", "pods", "-o", "wide"];
        let text = |arguments: &[&str]| self.cluster.kubectl(arguments).unwrap_or_else(|error| error.to_string());
        format!("the observer did not become ready:\n{}\n{}", text(&pods), text(&logs))
    }
}
