//! A steady load from inside the cluster.

use std::collections::BTreeMap;

use super::Experiment;
use crate::cluster::Target;
use crate::cluster::job::permissions;
use crate::cluster::preflight::Permission;

/// The pods of a Job send; nothing is done to the cluster besides.
#[derive(Clone, Debug)]
pub struct FromJob {
    /// How many senders.
    pub shards: u32,
    /// Their image.
    pub image: String,
}

impl Experiment for FromJob {
    fn name(&self) -> &'static str {
        "job"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        [("shards", self.shards.to_string()), ("image", self.image.clone())]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn permissions(&self, target: &Target) -> Vec<Permission> {
        permissions(&target.namespace)
    }
}
