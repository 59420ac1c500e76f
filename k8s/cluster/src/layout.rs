//! Where each file of a cluster is.

use std::path::{Path, PathBuf};

use crate::node::Node;

/// The files below a cluster's state directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal.json")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn log(&self, daemon: &str) -> PathBuf {
        self.logs().join(format!("{daemon}.log"))
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.root.join("etcd")
    }

    /// A kubeconfig by its user's short name.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.root.join("kubeconfig").join(format!("{user}.yaml"))
    }

    pub(crate) fn corefile(&self) -> PathBuf {
        self.root.join("Corefile")
    }

    pub(crate) fn shell_rc(&self) -> PathBuf {
        self.root.join("shellrc")
    }

    pub(crate) fn containerd_config(&self, node: &Node) -> PathBuf {
        node.dir(&self.root).join("containerd.toml")
    }

    pub(crate) fn containerd_socket(&self, node: &Node) -> PathBuf {
        node.dir(&self.root).join("containerd.sock")
    }

    pub(crate) fn kubelet_config(&self, node: &Node) -> PathBuf {
        node.dir(&self.root).join("kubelet.yaml")
    }

    pub(crate) fn kube_proxy_config(&self, node: &Node) -> PathBuf {
        node.dir(&self.root).join("kube-proxy.yaml")
    }
}
