//! Kubernetes and our own programs are built side by side: where one waits for a single long step, the other has the machine.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use podwitness_cluster::binaries;

use crate::{cluster::archives, image, static_build};

/// What this takes, for who watches.
pub const USUALLY: &str = "10 to 20 min once, then 5 s";

/// What was built.
pub struct Built {
    /// The load generator.
    pub loadgen: PathBuf,
    /// Archives of the images.
    pub images: Vec<PathBuf>,
}

/// Builds what is not there yet. `kubernetes`: also the embedded cluster's programs.
pub fn all(kubernetes: bool, stop: &Arc<AtomicBool>) -> Result<Built> {
    if !kubernetes || binaries::is_built() {
        return ours();
    }
    thread::scope(|scope| {
        let upstream = scope.spawn(|| {
            let built = binaries::ensure_unless(false, Arc::clone(stop));
            if let Err(error) = &built {
                eprintln!(
                    "error: {error}\n  (told again at the end: what else is being built is kept for the next time)"
                );
            }
            built
        });
        let ours = ours();
        if ours.is_err() {
            // Nothing is gained by waiting for the other.
            stop.store(true, Ordering::Relaxed);
        }
        let upstream = upstream.join().map_err(|_| anyhow!("the build of Kubernetes panicked"))?;
        let ours = ours?;
        upstream.context("Kubernetes could not be built")?;
        Ok(ours)
    })
}

fn ours() -> Result<Built> {
    Ok(Built { loadgen: static_build::loadgen()?, images: archives(&[image::Which::All])? })
}
