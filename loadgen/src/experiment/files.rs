//! The run's directory: made and opened before anything is touched.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::{Timeline, TimelineWriter};
use crate::load::{Lags, Recorder, Stop};
use crate::raw::read::raw_dir;
use crate::raw::write::{NdjsonWriter, WriteError, write_json};
use crate::raw::{Lag, RunFile};

/// Where runs go that are told nothing else.
pub const RESULTS: &str = "podwitness-results";

/// Held back so that a run which filled the disk can still write down how it ended.
const RESERVE: usize = 512 * 1024;

/// The run's open files.
pub struct Files {
    /// The run's directory.
    pub dir: PathBuf,
    /// Where the raw files are.
    pub raw: PathBuf,
    /// `client.ndjson.gz`.
    pub recorder: Recorder,
    /// `timeline.ndjson`.
    pub timeline: Timeline,
    timeline_writer: TimelineWriter,
    lags: Lags,
}

/// The run's closed files.
pub struct Ended {
    /// The run's directory.
    pub dir: PathBuf,
    /// Client records that are not in their file.
    pub dropped: u64,
    /// Why a file is not whole.
    pub error: Option<String>,
    raw: PathBuf,
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
        let opened = Self::open(dir, &raw, stop);
        if opened.is_err() {
            remove(dir, &raw);
        }
        opened
    }

    fn open(dir: &Path, raw: &Path, stop: &Stop) -> Result<Self, WriteError> {
        let reserve = reserve(raw);
        // Zeros that are really written: a hole would reserve nothing.
        fs::write(&reserve, vec![0; RESERVE]).map_err(|e| WriteError::new(&reserve, e))?;
        let recorder = Recorder::create(&raw.join("client.ndjson.gz"), stop.clone())?;
        let (timeline, timeline_writer) = TimelineWriter::create(&raw.join("timeline.ndjson"), stop.clone())?;
        let (dir, raw) = (dir.to_owned(), raw.to_owned());
        Ok(Self { dir, raw, recorder, timeline, timeline_writer, lags: Lags::watch() })
    }

    /// Writes `run.json`.
    pub fn write_run(&self, run: &RunFile) -> Result<(), WriteError> {
        write_json(&self.raw.join("run.json"), run)
    }

    /// Closes all files. Everyone who holds an end of them must be gone. `senders` is when others who sent did not run.
    pub async fn finish(self, senders: Option<Vec<Lag>>) -> Ended {
        let Self { dir, raw, recorder, timeline, timeline_writer, lags } = self;
        drop(timeline);
        let own = lags.finish().await;
        let lags = senders.unwrap_or(own);
        // What is still buffered may need the room.
        let _ = fs::remove_file(reserve(&raw));
        let recorded = recorder.finish().await;
        let timeline_error = match timeline_writer.finish().await {
            Ok(_) => None,
            Err(error) => Some(error.map_or("the time line's thread failed".to_owned(), |e| e.to_string())),
        };
        let lags_error = write_lags(&raw, &lags).err().map(|error| error.to_string());
        let error = recorded.error.map(|error| error.to_string()).or(timeline_error).or(lags_error);
        Ended { dir, dropped: recorded.dropped, error, raw }
    }

    /// Nothing was sent: takes back what [`Files::create`] made.
    pub async fn discard(self) {
        let ended = self.finish(None).await;
        remove(&ended.dir, &ended.raw);
    }
}

impl Ended {
    /// Writes `run.json` for the last time.
    pub fn write_run(&self, run: &RunFile) -> Result<(), WriteError> {
        write_json(&self.raw.join("run.json"), run)
    }
}

fn write_lags(raw: &Path, lags: &[Lag]) -> Result<u64, WriteError> {
    let mut writer = NdjsonWriter::create(&raw.join("lags.ndjson.gz"))?;
    lags.iter().try_for_each(|lag| writer.write(lag))?;
    writer.finish()
}

fn reserve(raw: &Path) -> PathBuf {
    raw.join(".reserve")
}

/// Removes what a run without a request has made; what cannot be removed is at worst an empty file.
fn remove(dir: &Path, raw: &Path) {
    for file in ["client.ndjson.gz", "lags.ndjson.gz", "timeline.ndjson", "run.json", "run.json.part", ".reserve"] {
        let _ = fs::remove_file(raw.join(file));
    }
    let _ = fs::remove_dir(raw);
    let _ = fs::remove_dir(dir);
    // The folder of all runs, when this was the first: only an empty one can be removed.
    let parent = dir.parent().filter(|parent| parent.ends_with(RESULTS));
    let _ = parent.map(fs::remove_dir);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_run_without_a_request_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join(RESULTS).join("run");
        Files::create(&dir, &Stop::default()).unwrap().discard().await;
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn the_reserve_is_given_back_at_the_end() {
        let place = tempfile::tempdir().unwrap();
        let files = Files::create(&place.path().join("run"), &Stop::default()).unwrap();
        let reserve = reserve(&files.raw);
        assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE as u64);
        let ended = files.finish(None).await;
        assert!(ended.error.is_none() && !reserve.exists());
    }
}
