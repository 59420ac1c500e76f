//! A cluster for the length of a test.

use std::ops::Deref;
use std::path::Path;

use crate::{Cluster, Error, Options, Result};

/// Brings a cluster up and takes it down when dropped, also by a panic.
#[derive(Debug)]
pub struct ClusterGuard {
    cluster: Cluster,
}

impl ClusterGuard {
    /// Brings up a cluster of one's own. One that is up already belongs to someone else and is refused; what a killed
    /// run left is removed first.
    pub fn up(options: &Options) -> Result<Self> {
        if Cluster::status(&options.root)?.up {
            return Err(Error::AlreadyUp(options.root.clone()));
        }
        Cluster::down(&options.root, options.quiet)?;
        Ok(Self { cluster: Cluster::up(options)? })
    }

    /// Takes it down and says how that went, which dropping cannot.
    pub fn down(self) -> Result<()> {
        let root = self.cluster.root().to_owned();
        std::mem::forget(self);
        Cluster::down(&root, false).map(|_| ())
    }
}

impl Deref for ClusterGuard {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for ClusterGuard {
    fn drop(&mut self) {
        let root: &Path = self.cluster.root();
        if let Err(error) = Cluster::down(root, true) {
            eprintln!("warning: {error}; `cluster down` tries again");
        }
    }
}
