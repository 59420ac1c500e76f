//! The lab and the observer on a cluster: deployed, waited for, and put into a known state.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use podwitness_cluster::{Cluster, Node};

use crate::run::root;

/// Namespace of the lab.
pub const NAMESPACE: &str = "mlops-lab";
const ROLLOUT: Duration = Duration::from_secs(180);
// kube-proxy syncs at most once a second: "rollout complete" is not yet "reachable".
const REACHABLE: Duration = Duration::from_secs(30);
// A rule may lead to a pod for a second after it is gone.
const RULES_FOLLOW: Duration = Duration::from_secs(2);
// In LAST_ACK, FIN_WAIT and CLOSE_WAIT a new SYN does not open the entry again: it follows it to where it led.
const ENDED_STATES: [&str; 6] = ["SYN_SENT", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"];

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
        self.install_observer_as("local")
    }

    /// The same from another overlay below `k8s/observer`.
    pub fn install_observer_as(&self, overlay: &str) -> Result<()> {
        self.apply(&format!("k8s/observer/overlays/{overlay}"))?;
        let wait = ["--namespace=podwitness", "rollout", "status", "daemonset/observer", "--timeout=60s"];
        self.cluster.kubectl(&wait).with_context(|| self.describe_observer()).map(drop)
    }

    /// Deploys a kustomization below `k8s/lab` in place of the one before and waits until the gateway answers.
    pub fn deploy(&self, overlay: &str) -> Result<()> {
        self.apply(&format!("k8s/lab/{overlay}"))?;
        remove_others(overlay, |arguments| Ok(self.cluster.kubectl(arguments)?))?;
        for deployment in ["ml-inference", "api-gateway"] {
            self.cluster.wait_rollout(NAMESPACE, deployment, ROLLOUT)?;
        }
        self.wait_until_old_pods_are_gone()?;
        self.wait_until_reachable()?;
        self.forget_ended()
    }

    /// A rollout is complete before its old pods are gone, and as long as they are on their way out they lose requests.
    fn wait_until_old_pods_are_gone(&self) -> Result<()> {
        let end = Instant::now() + ROLLOUT;
        let namespace = format!("--namespace={NAMESPACE}");
        let ending = "--output=jsonpath={.items[*].metadata.deletionTimestamp}";
        let mut some = false;
        while !self.cluster.kubectl(&[&namespace, "get", "pods", ending])?.trim().is_empty() {
            if Instant::now() > end {
                bail!("pods of the lab are still ending after {} s", ROLLOUT.as_secs());
            }
            some = true;
            sleep(Duration::from_millis(200));
        }
        if some {
            sleep(RULES_FOLLOW);
        }
        Ok(())
    }

    /// Removes conntrack entries of connections that are over, or never came to be. They live on for 10 to 120 s, and
    /// a gateway that uses a source port again before is sent to the pod of an earlier experiment: real, but a failure
    /// of that experiment, not of the next.
    pub fn forget_ended(&self) -> Result<()> {
        self.cluster.nodes().iter().try_for_each(|node| self.forget_ended_on(node))
    }

    fn forget_ended_on(&self, node: &Node) -> Result<()> {
        for state in ENDED_STATES {
            let mut delete = self.cluster.command_on(node, "conntrack");
            let output = delete.args(["-D", "-p", "tcp", "--state", state]).output().context("cannot run conntrack")?;
            // conntrack ends with 1 when nothing matched.
            if !matches!(output.status.code(), Some(0 | 1)) {
                bail!("conntrack -D --state {state}: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        Ok(())
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

/// Takes away what an earlier kustomization had brought and this one has not: a canary, its Services, autoscalers.
pub fn remove_others(overlay: &str, kubectl: impl Fn(&[&str]) -> Result<String>) -> Result<()> {
    let folder = root().join("k8s/lab").join(overlay);
    let wanted = kubectl(&["apply", "--kustomize", &folder.to_string_lossy(), "--dry-run=client", "--output=name"])?;
    let namespace = format!("--namespace={NAMESPACE}");
    let kinds = "deployments,services,horizontalpodautoscalers";
    let there = kubectl(&[&namespace, "get", kinds, "--output=name"])?;
    let others: Vec<&str> = there.lines().filter(|name| !wanted.lines().any(|other| other == *name)).collect();
    if !others.is_empty() {
        kubectl(&[&[namespace.as_str(), "delete"], others.as_slice()].concat())?;
    }
    Ok(())
}
