//! What must be put back, written down before it is changed: a crash or a pulled plug leaves the file behind.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::raw::write::{WriteError, write_json};

/// One run's changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this layout.
    pub schema_version: u32,
    /// Run that made them.
    pub run_id: String,
    /// Its process …
    pub pid: i32,
    /// … on this boot of this machine.
    pub boot_id: String,
    /// RFC 3339.
    pub started_at: String,
    /// kubeconfig context.
    pub context: Option<String>,
    /// API server: the changes belong to this cluster and no other.
    pub server: String,
    /// Namespace.
    pub namespace: String,
    /// In the order they were made.
    pub changes: Vec<Change>,
}

/// One thing to put back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A Deployment's pod template.
    Template {
        /// Name.
        deployment: String,
        /// UID: another Deployment of that name is left alone.
        uid: String,
        /// `spec.template` of before.
        template: Value,
    },
    /// A Deployment's pod template together with its annotations, as an undo changes them.
    Revision {
        /// Name.
        deployment: String,
        /// UID: another Deployment of that name is left alone.
        uid: String,
        /// `spec.template` of before.
        template: Value,
        /// `metadata.annotations` of before.
        annotations: serde_json::Map<String, Value>,
    },
    /// An object that was made for a moment: it is taken away.
    Made {
        /// `pod`, `configmap` or `job`.
        object: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A Deployment's number of replicas.
    Replicas {
        /// Name.
        deployment: String,
        /// UID: another Deployment of that name is left alone.
        uid: String,
        /// `spec.replicas` of before.
        replicas: i32,
    },
    /// A run that was announced to the agents: while it is open they refuse every other.
    ObserverRun {
        /// Its id.
        run_id: String,
        /// Namespace of the agents.
        namespace: String,
    },
    /// The wait of a pod's server before each answer.
    PodDelay {
        /// Name.
        pod: String,
        /// UID: another pod of that name is left alone.
        uid: String,
        /// Port of the server.
        port: u16,
        /// Wait of before.
        delay_ms: u64,
        /// Its spread of before.
        jitter_ms: u64,
    },
    /// The CPU of a pod's container.
    PodCpu {
        /// Name.
        pod: String,
        /// UID: another pod of that name is left alone.
        uid: String,
        /// Container.
        container: String,
        /// `limits.cpu` of before.
        limit: String,
        /// `requests.cpu` of before.
        request: Option<String>,
    },
}

/// No journal: nothing is changed without one.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Nowhere to write it.
    #[error("no place for the journal of changes: neither XDG_STATE_HOME nor HOME is set\n  fix: set XDG_STATE_HOME")]
    NoPlace,
    /// It cannot be written.
    #[error("cannot keep the journal of changes: {0}")]
    Write(#[from] WriteError),
}

/// The journal of this run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    entry: Entry,
}

impl Journal {
    /// Nothing is written before the first change.
    pub fn new(dir: &Path, entry: Entry) -> Self {
        Self { path: dir.join(format!("{}.json", entry.run_id)), entry }
    }

    /// Writes a change down. Only then may it be made.
    pub fn record(&mut self, change: Change) -> Result<(), JournalError> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir).map_err(|e| WriteError::new(dir, e))?;
        }
        self.entry.changes.push(change);
        write_json(&self.path, &self.entry)?;
        Ok(())
    }

    /// What must be put back, last change first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.entry.changes.iter().rev()
    }

    /// One change is no longer there.
    pub fn retract(&mut self, change: &Change) -> Result<(), JournalError> {
        self.entry.changes.retain(|other| other != change);
        if self.entry.changes.is_empty() {
            return forget(&self.path);
        }
        write_json(&self.path, &self.entry)?;
        Ok(())
    }

    /// All is as it was.
    pub fn forget(&mut self) -> Result<(), JournalError> {
        self.entry.changes.clear();
        forget(&self.path)
    }
}

/// Removes a journal file.
pub fn forget(path: &Path) -> Result<(), JournalError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(WriteError::new(path, error).into()),
        _ => Ok(()),
    }
}

/// Where journals are kept.
pub fn default_dir() -> Result<PathBuf, JournalError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    Ok(state.ok_or(JournalError::NoPlace)?.join("podwitness/journal"))
}
