//! A cluster that is up, and what one does with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::command::{find_program, path_with, run, run_with_input};
use crate::journal::Journal;
use crate::layout::Layout;
use crate::node::{CLIENT_NAMESPACE, Node, namespace_path};
use crate::steps::Steps;
use crate::{Error, Options, Result, Status, lifecycle, status};

/// A handle to a cluster. Dropping it changes nothing; see [`crate::ClusterGuard`] for tests.
#[derive(Debug, Clone)]
pub struct Cluster {
    layout: Layout,
    pub(crate) node: Node,
    pub(crate) bin_dir: PathBuf,
}

impl Cluster {
    /// Brings the cluster up, repairs a damaged one, or does nothing when it is up as wanted. On failure nothing is left.
    pub fn up(options: &Options) -> Result<Self> {
        lifecycle::up(options, &Steps::new(options.quiet))
    }

    /// Like [`Self::up`], but ends with [`Error::Interrupted`] and nothing left soon after `stop` is set.
    pub fn up_unless(options: &Options, stop: Arc<AtomicBool>) -> Result<Self> {
        lifecycle::up(options, &Steps::stoppable(options.quiet, stop))
    }

    /// Removes the cluster below `root` and every trace of it. False if there was none.
    pub fn down(root: &Path, quiet: bool) -> Result<bool> {
        lifecycle::down(root, &Steps::new(quiet))
    }

    /// The cluster below `root`, if one has been brought up there in this boot.
    pub fn find(root: &Path) -> Result<Self> {
        let layout = Layout::new(root);
        match Journal::load(&layout)? {
            Some(journal) if journal.complete && journal.is_of_this_boot()? => {
                Ok(Self::from_journal(&layout, &journal))
            }
            _ => Err(Error::NotUp(root.to_owned())),
        }
    }

    pub(crate) fn from_journal(layout: &Layout, journal: &Journal) -> Self {
        let node = Node { index: 0, pod_subnet: journal.options.pod_subnet };
        Self { layout: layout.clone(), node, bin_dir: journal.bin_dir.clone() }
    }

    /// What runs below `root` and how it is.
    pub fn status(root: &Path) -> Result<Status> {
        status::read(root)
    }

    /// The state directory.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where kubectl and the other programs are.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// An administrator's kubeconfig for the client's network namespace.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig("client")
    }

    /// An administrator's kubeconfig for the node's network namespace.
    pub fn node_kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig("admin")
    }

    /// Where the daemons' logs are.
    pub fn logs(&self) -> PathBuf {
        self.layout.logs()
    }

    /// The lab's gateway as the client reaches it: its node port.
    pub fn gateway_url(&self) -> String {
        format!("http://{}:30080", self.node.address())
    }

    /// A command in the client's network namespace, with KUBECONFIG and kubectl.
    pub fn client_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in(CLIENT_NAMESPACE, &self.kubeconfig(), program.as_ref())
    }

    /// A command in the node's network namespace, with KUBECONFIG and kubectl.
    pub fn node_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in(&self.node.name(), &self.node_kubeconfig(), program.as_ref())
    }

    fn command_in(&self, namespace: &str, kubeconfig: &Path, program: &OsStr) -> Command {
        let mut command = Command::new(find_program("nsenter").unwrap_or_else(|| "nsenter".into()));
        let mut network = std::ffi::OsString::from("--net=");
        network.push(namespace_path(namespace));
        command.arg(network).arg("--").arg(program);
        command.env("KUBECONFIG", kubeconfig).env("PATH", path_with(&self.bin_dir));
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            // There is no way out to a proxy, and kubectl would try one.
            command.env_remove(proxy);
        }
        // kubectl's cache of the API would otherwise stay in the user's home.
        command.env("KUBECACHEDIR", self.layout.root.join("kubectl-cache"));
        command
    }

    fn kubectl_command(&self) -> Command {
        self.node_command(self.bin_dir.join("kubectl"))
    }

    /// Runs kubectl as administrator and returns what it prints.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        run(self.kubectl_command().args(arguments))
    }

    /// Applies a YAML stream (server side, so that a second time changes nothing).
    pub fn apply(&self, yaml: &str) -> Result<String> {
        let arguments = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
        run_with_input(self.kubectl_command().args(arguments), yaml)
    }

    /// Waits until a Deployment's rollout is complete.
    pub fn wait_rollout(&self, namespace: &str, deployment: &str, timeout: Duration) -> Result<()> {
        let (target, timeout) =
            (format!("deployment/{deployment}"), format!("--timeout={}s", timeout.as_secs().max(1)));
        self.kubectl(&["--namespace", namespace, "rollout", "status", &target, &timeout]).map(|_| ())
    }

    /// Imports an OCI or docker archive into the node.
    pub fn load_image(&self, archive: &Path) -> Result<()> {
        lifecycle::import(&self.bin_dir, &self.layout.containerd_socket(&self.node), &[archive.to_owned()])
    }

    /// Ok when the node is Ready, else what it is.
    pub(crate) fn node_is_ready(&self) -> Result<(), String> {
        let path = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")]['status','message']}"#;
        // An API server without its etcd would take a minute to say so.
        match self.kubectl(&["get", "node", &self.node.name(), path, "--request-timeout=3s"]) {
            Ok(text) if text.starts_with("True") => Ok(()),
            Ok(text) => Err(format!("the node says: {}", text.trim())),
            Err(error) => Err(error.to_string()),
        }
    }
}
