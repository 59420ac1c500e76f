//! The programs that make up the cluster: what each is told, and how it is started.

pub(crate) mod addons;
pub(crate) mod control_plane;
pub(crate) mod node;
mod spawn;

use std::path::{Path, PathBuf};

use crate::layout::Layout;
use crate::node::Node;
use crate::options::Options;

pub(crate) use spawn::Place;

/// A program with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    /// Unique within the cluster; names the log.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// What the daemons are configured from.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) layout: &'a Layout,
    /// The node whose daemons these are; those of the whole cluster are the first one's.
    pub(crate) node: &'a Node,
    pub(crate) options: &'a Options,
    pub(crate) bin_dir: &'a Path,
}

impl Context<'_> {
    /// A daemon of the whole cluster.
    fn daemon(&self, program: &str, arguments: impl IntoIterator<Item = String>) -> Daemon {
        self.named(program.to_owned(), program, arguments)
    }

    /// A daemon that every node has.
    fn of_node(&self, program: &str, arguments: impl IntoIterator<Item = String>) -> Daemon {
        self.named(format!("{program}-{}", self.node.name()), program, arguments)
    }

    fn named(&self, name: String, program: &str, arguments: impl IntoIterator<Item = String>) -> Daemon {
        Daemon { name, program: self.bin_dir.join(program), arguments: arguments.into_iter().collect() }
    }

    fn pki(&self, file: &str) -> String {
        self.layout.pki().join(file).display().to_string()
    }

    fn kubeconfig(&self, user: &str) -> String {
        self.layout.kubeconfig(user).display().to_string()
    }
}

/// The three flags by which a component reads its identity and delegates the question who its own callers are.
fn identity(kubeconfig: &str) -> [String; 3] {
    ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"].map(|flag| format!("--{flag}={kubeconfig}"))
}
