//! `timeline.ndjson`: what the watches see and what we do, in one file, stamped where it happens.

use std::path::Path;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::load::{Reason, Stop, monotonic_ns};
use crate::raw::write::{NdjsonWriter, WriteError};
use crate::raw::{Subject, TimelineEntry};

/// Anybody's end: takes entries at once, never waits.
#[derive(Clone, Debug)]
pub struct Timeline {
    // Entries come at most a few hundred a second, and each must be kept: no bound.
    sender: mpsc::UnboundedSender<TimelineEntry>,
}

/// The thread that writes them.
#[derive(Debug)]
pub struct TimelineWriter {
    thread: JoinHandle<Result<u64, WriteError>>,
}

impl TimelineWriter {
    /// Creates the file. When it cannot be written any more, `stop` is set.
    pub fn create(path: &Path, stop: Stop) -> Result<(Timeline, Self), WriteError> {
        let mut writer = NdjsonWriter::create(path)?;
        let (sender, mut receiver) = mpsc::unbounded_channel::<TimelineEntry>();
        let thread = std::thread::Builder::new()
            .name("timeline".into())
            .spawn(move || {
                while let Some(entry) = receiver.blocking_recv() {
                    let mut written = writer.write(&entry);
                    if receiver.is_empty() {
                        // Entries are few, and a run that is killed must not lose those it had.
                        written = written.and_then(|()| writer.flush());
                    }
                    written.inspect_err(|error| stop.set(Reason::Error(error.to_string())))?;
                }
                writer.finish().inspect_err(|error| stop.set(Reason::Error(error.to_string())))
            })
            .map_err(|e| WriteError::new(path, e))?;
        Ok((Timeline { sender }, Self { thread }))
    }

    /// Waits until everything is on the disk. All [`Timeline`]s must be gone.
    pub async fn finish(self) -> Result<u64, Option<WriteError>> {
        let thread = self.thread;
        match tokio::task::spawn_blocking(move || thread.join()).await {
            Ok(Ok(written)) => written.map_err(Some),
            _ => Err(None),
        }
    }
}

impl Timeline {
    /// Stamps and keeps.
    pub fn push(&self, subject: Subject) {
        self.push_at(monotonic_ns(), subject);
    }

    /// Keeps with a stamp taken before.
    pub fn push_at(&self, at_ns: u64, subject: Subject) {
        // The writer ends early only when the disk failed, and then the run is stopping already.
        let _ = self.sender.send(TimelineEntry { at_ns, subject });
    }

    /// One of our own actions, stamped before and after.
    pub fn action(&self, name: &str, target: &str, uid: Option<String>, requested_ns: u64, detail: impl Into<String>) {
        self.push(Subject::Action {
            name: name.to_owned(),
            target: target.to_owned(),
            uid,
            requested_ns,
            detail: detail.into(),
        });
    }

    /// A timeline that keeps nothing.
    pub fn nowhere() -> Self {
        Self { sender: mpsc::unbounded_channel().0 }
    }
}
