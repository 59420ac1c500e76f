//! Everything that can go wrong, in words that name the way out.

use std::io;
use std::path::PathBuf;

use crate::preflight::{self, Finding};

/// Why the cluster could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call or file operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// A program we ran ended with a failure.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// Exit code or signal.
        status: String,
        /// The last lines it printed.
        output: String,
    },
    /// The machine lacks something.
    #[error("this machine is not ready for the embedded cluster:\n{}", preflight::describe_missing(.0))]
    Preflight(Vec<Finding>),
    /// Go is absent or too old.
    #[error("{problem}\n  fix: {fix}")]
    Go {
        /// What was found.
        problem: String,
        /// What to do.
        fix: String,
    },
    /// A daemon ended while the cluster was starting.
    #[error("{name} ended unexpectedly; the end of its log ({}):\n{tail}", .log.display())]
    DaemonEnded {
        /// Which daemon.
        name: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Something did not become true in time.
    #[error("waited {seconds} s for {what}; {last}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// The last thing seen.
        last: String,
    },
    /// A cluster runs already, but not the one that was asked for.
    #[error("a cluster is already up with other options ({difference}); run `cluster down` first")]
    OtherOptions {
        /// Which options differ.
        difference: String,
    },
    /// A test wanted a cluster of its own and found one.
    #[error("a cluster is already up below {}; run `cluster down` first", .0.display())]
    AlreadyUp(PathBuf),
    /// No cluster is up.
    #[error("no cluster is up below {}; run `cluster up` first", .0.display())]
    NotUp(PathBuf),
    /// The namespaces belong to a cluster with another state directory.
    #[error("network namespace {namespace} exists, but belongs to the cluster below {}; take that one down first", .owner.display())]
    ForeignCluster {
        /// The name both want.
        namespace: String,
        /// The other cluster's state directory.
        owner: PathBuf,
    },
    /// Another process is bringing a cluster up or down.
    #[error("another process has been bringing the cluster up or down for {0} s; try again when it has ended")]
    Busy(u64),
    /// A value of [`crate::Options`] cannot work.
    #[error("{option}: {problem}")]
    Option {
        /// The field.
        option: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// A certificate could not be made.
    #[error("making the certificate of {name}: {source}")]
    Certificate {
        /// Whose certificate.
        name: String,
        /// The library's answer.
        #[source]
        source: rcgen::Error,
    },
    /// A template and the values for it do not fit (a defect of this crate).
    #[error("template {template}: {problem}")]
    Template {
        /// The file.
        template: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// `down` ended with something still there.
    #[error("not everything could be removed: {}", .0.join("; "))]
    LeftOver(Vec<String>),
    /// The user asked to stop (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
}

/// Adds what was being done to an I/O error.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, io::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { doing: what(), source })
    }
}

impl<T> Doing<T> for Result<T, nix::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|errno| Error::Io { doing: what(), source: errno.into() })
    }
}
