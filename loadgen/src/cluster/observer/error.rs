//! What can go wrong between us and an agent.

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
    #[error(
        "the observer on node {node} cannot be reached: {why}\n  fix: see `kubectl logs -n {namespace} {pod}`; go on without with --no-observer"
    )]
    Unreachable {
        /// Node.
        node: String,
        /// Its pod.
        pod: String,
        /// Its namespace.
        namespace: String,
        /// Why not.
        why: String,
    },
    /// It refuses, and says why.
    #[error("the observer on node {node} refuses: {}\n  fix: {}", .problem.error, .problem.fix)]
    Refused {
        /// Node.
        node: String,
        /// Its own words.
        problem: Problem,
    },
    /// It answers something that is not understood.
    #[error(
        "the observer on node {node} answered {what}\n  fix: use a load generator and an observer of the same version"
    )]
    Strange {
        /// Node.
        node: String,
        /// What it was.
        what: String,
    },
    /// Its records cannot be written.
    #[error(transparent)]
    Write(#[from] crate::raw::write::WriteError),
}
