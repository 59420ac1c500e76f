//! What can go wrong between us and an agent, or a shard of a load.

use observer::api::Problem;

/// An agent could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// None is there.
    #[error(
        "no observer in namespace `{namespace}`: without it there is no pod behind a failed request and no cause\n  fix: `kubectl apply -k k8s/observer`, or go on without with --no-observer"
    )]
    None {
        /// Where it was looked for.
        namespace: String,
    },
    /// It cannot be reached.
    #[error("{who} cannot be reached: {why}\n  fix: see `kubectl logs -n {namespace} {pod}`{way_out}")]
    Unreachable {
        /// Who it is.
        who: String,
        /// Its pod.
        pod: String,
        /// Its namespace.
        namespace: String,
        /// Why not.
        why: String,
        /// What else can be done.
        way_out: &'static str,
    },
    /// It refuses, and says why.
    #[error("{who} refuses: {}\n  fix: {}", .problem.error, .problem.fix)]
    Refused {
        /// Who it is.
        who: String,
        /// Its own words.
        problem: Problem,
    },
    /// It answers something that is not understood.
    #[error("{who} answered {what}\n  fix: use one version of load generator, observer and images")]
    Strange {
        /// Who it is.
        who: String,
        /// What it was.
        what: String,
    },
    /// Its records cannot be written.
    #[error(transparent)]
    Write(#[from] crate::raw::write::WriteError),
}
