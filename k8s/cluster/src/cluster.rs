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
    pub(crate) nodes: Vec<Node>,
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
        let nodes = Node::all(journal.options.nodes.max(1), journal.options.pod_subnet);
        Self { layout: layout.clone(), nodes, bin_dir: journal.bin_dir.clone() }
    }

    /// What runs below `root` and how it is.
    pub fn status(root: &Path) -> Result<Status> {
        status::read(root)
    }

    /// The state directory.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// The first node, which the control plane runs on.
    pub fn node(&self) -> &Node {
        &self.nodes[0]
    }

    /// All nodes, the first one first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
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

    /// The lab's gateway as the client reaches it: its port on the first node.
    pub fn gateway_url(&self) -> String {
        format!("http://{}:30080", self.node().address())
    }

    /// A command in the client's network namespace, with KUBECONFIG and kubectl.
    pub fn client_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_in(CLIENT_NAMESPACE, &self.kubeconfig(), program.as_ref())
    }

    /// A command in the first node's network namespace, with KUBECONFIG and kubectl.
    pub fn node_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_on(self.node(), program)
    }

    /// A command in a node's network namespace, with KUBECONFIG and kubectl.
    pub fn command_on(&self, node: &Node, program: impl AsRef<OsStr>) -> Command {
        // The administrator's own kubeconfig names the loopback of the first node.
        let kubeconfig = if node.index == 0 { self.node_kubeconfig() } else { self.kubeconfig() };
        self.command_in(&node.name(), &kubeconfig, program.as_ref())
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

    /// Imports an OCI or docker archive into every node.
    pub fn load_image(&self, archive: &Path) -> Result<()> {
        let sockets: Vec<PathBuf> = self.nodes.iter().map(|node| self.layout.containerd_socket(node)).collect();
        lifecycle::import(&self.bin_dir, &sockets, &[archive.to_owned()])
    }

    /// Ok when every node is Ready, else what the first other one is.
    pub(crate) fn nodes_are_ready(&self) -> Result<(), String> {
        self.nodes.iter().try_for_each(|node| self.is_ready(node))
    }

    fn is_ready(&self, node: &Node) -> Result<(), String> {
        let path = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")]['status','message']}"#;
        // An API server without its etcd would take a minute to say so.
        match self.kubectl(&["get", "node", &node.name(), path, "--request-timeout=3s"]) {
            Ok(text) if text.starts_with("True") => Ok(()),
            Ok(text) => Err(format!("the node says: {}", text.trim())),
            Err(error) => Err(error.to_string()),
        }
    }
}
