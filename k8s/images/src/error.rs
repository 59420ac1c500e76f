//! What can go wrong while an image is made.

use std::io;
use std::path::PathBuf;

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that belongs into the image cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path that would leave the image, or is none.
    #[error("`{0}` is no absolute path without `..`")]
    BadPath(String),
    /// The binary is linked against libraries of the host; an image from scratch has none.
    #[error(
        "{0} is not static; build it with RUSTFLAGS=\"-C target-feature=+crt-static\" and --target (`cargo xtask image` does)"
    )]
    NotStatic(PathBuf),
    /// The list of shared libraries cannot be had.
    #[error("cannot find the shared libraries of {binary}: {reason}")]
    Libraries {
        /// Whose.
        binary: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A tool of the distribution is not installed.
    #[error("{path} is missing; install it with `apt-get install -y --no-install-recommends {package}`")]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
        /// The package that has it.
        package: &'static str,
    },
    /// The tar writer failed; it writes to memory.
    #[error("cannot pack a layer: {0}")]
    Pack(#[source] io::Error),
    /// A document of the image could not be built.
    #[error("cannot describe the image: {0}")]
    Describe(#[from] oci_spec::OciSpecError),
    /// A document of the image could not be written as JSON.
    #[error("cannot describe the image: {0}")]
    Json(#[from] serde_json::Error),
}
