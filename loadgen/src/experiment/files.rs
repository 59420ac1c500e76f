//! The run's directory: made and opened before anything is touched.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::{Timeline, TimelineWriter};
use crate::load::{Recorder, Stop};
use crate::raw::read::raw_dir;
use crate::raw::write::WriteError;

/// Where runs go that are told nothing else.
pub const RESULTS: &str = "podwitness-results";

/// The run's open files.
pub struct Files {
    /// The run's directory.
    pub dir: PathBuf,
    /// Where the raw files are.
    pub raw: PathBuf,
    /// `client.ndjson`.
    pub recorder: Recorder,
    /// `timeline.ndjson`.
    pub timeline: Timeline,
    /// The thread behind it.
    pub timeline_writer: TimelineWriter,
}

impl Files {
    /// Creates the directory and opens the files. A directory that holds a run already is refused.
    pub fn create(dir: &Path, stop: &Stop) -> Result<Self, WriteError> {
        let raw = raw_dir(dir);
        if raw.exists() {
            let exists = std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "it holds a run already\n  fix: choose another directory with --out, or remove that one",
            );
            return Err(WriteError::new(dir, exists));
        }
        fs::create_dir_all(&raw).map_err(|e| WriteError::new(&raw, e))?;
        let recorder = Recorder::create(&raw.join("client.ndjson"), stop.clone())?;
        let (timeline, timeline_writer) = TimelineWriter::create(&raw.join("timeline.ndjson"), stop.clone())?;
        Ok(Self { dir: dir.to_owned(), raw, recorder, timeline, timeline_writer })
    }

    /// Nothing was sent: takes back what [`Files::create`] made.
    pub async fn discard(self) {
        drop(self.timeline);
        self.recorder.finish().await;
        // What cannot be removed is at worst two empty files.
        let _ = self.timeline_writer.finish().await;
        let _ = fs::remove_file(self.raw.join("client.ndjson"));
        let _ = fs::remove_file(self.raw.join("timeline.ndjson"));
        let _ = fs::remove_dir(&self.raw);
        let _ = fs::remove_dir(&self.dir);
        // The folder of all runs, when this was the first: only an empty one can be removed.
        let parent = self.dir.parent().filter(|parent| parent.ends_with(RESULTS));
        let _ = parent.map(fs::remove_dir);
    }
}
