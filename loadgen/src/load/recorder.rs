//! From the workers to `client.ndjson.gz`, without ever making a worker wait for the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::stop::{Reason, Stop};
use crate::raw::ClientRequest;
use crate::raw::write::{NdjsonWriter, WriteError};

/// Records that may wait for the disk: at 10,000 requests a second, six seconds of a disk that hangs.
const QUEUE: usize = 65_536;

/// A process that is killed may lose what its workers sent since then, and a block that is not full packs a little worse.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A thread that writes what the workers send.
#[derive(Debug)]
pub struct Recorder {
    sender: mpsc::Sender<ClientRequest>,
    dropped: Arc<AtomicU64>,
    thread: JoinHandle<Result<u64, WriteError>>,
}

/// A worker's end.
#[derive(Clone, Debug)]
pub struct RecordSender {
    sender: mpsc::Sender<ClientRequest>,
    dropped: Arc<AtomicU64>,
}

/// What became of the records.
#[derive(Debug)]
pub struct Recorded {
    /// Lines in the file.
    pub written: u64,
    /// Records that are not in the file.
    pub dropped: u64,
    /// Why the file is not whole.
    pub error: Option<WriteError>,
}

impl Recorder {
    /// Creates the file. When it cannot be written any more, `stop` is set: a run without records proves nothing.
    pub fn create(path: &Path, stop: Stop) -> Result<Self, WriteError> {
        let writer = NdjsonWriter::create(path)?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("client-records".into())
            .spawn(move || write_all(receiver, writer, &counter, &stop))
            .map_err(|e| WriteError::new(path, e))?;
        Ok(Self { sender, dropped, thread })
    }

    /// An end for a worker.
    pub fn sender(&self) -> RecordSender {
        RecordSender { sender: self.sender.clone(), dropped: Arc::clone(&self.dropped) }
    }

    /// Waits until everything sent so far is on the disk. All [`RecordSender`]s must be gone.
    pub async fn finish(self) -> Recorded {
        drop(self.sender);
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        let (written, error) = match joined {
            Ok(Ok(Ok(written))) => (written, None),
            Ok(Ok(Err(error))) => (0, Some(error)),
            _ => (0, None),
        };
        Recorded { written, dropped: self.dropped.load(Ordering::Relaxed), error }
    }
}

impl RecordSender {
    /// Hands a record over as soon as there is room.
    pub async fn deliver(&self, request: ClientRequest) {
        if self.sender.send(request).await.is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands a record over, or counts it as dropped.
    pub fn send(&self, request: ClientRequest) {
        if self.sender.try_send(request).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(
    mut receiver: mpsc::Receiver<ClientRequest>,
    mut writer: NdjsonWriter,
    dropped: &AtomicU64,
    stop: &Stop,
) -> Result<u64, WriteError> {
    let mut flushed = Instant::now();
    while let Some(request) = receiver.blocking_recv() {
        let mut written = writer.write(&request);
        if flushed.elapsed() >= FLUSH_EVERY {
            written = written.and_then(|()| writer.flush());
            flushed = Instant::now();
        }
        if let Err(error) = written {
            dropped.fetch_add(1, Ordering::Relaxed);
            stop.set(Reason::Error(error.to_string()));
            // Later records must be counted too, until the workers are gone.
            while receiver.blocking_recv().is_some() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
            return Err(error);
        }
    }
    writer.finish().inspect_err(|error| stop.set(Reason::Error(error.to_string())))
}
