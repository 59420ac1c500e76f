//! An action that failed.

use crate::cluster::connect::words;

/// What failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The API refused.
    #[error("cannot {what}: {}", words(.source))]
    Api {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The object is not as it must be.
    #[error("{what}\n  fix: {fix}")]
    Unfit {
        /// What is wrong.
        what: String,
        /// What to do.
        fix: String,
    },
    /// It did not happen in time.
    #[error("{what} after {waited_s:.0} s: {state}\n  fix: {fix}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        waited_s: f64,
        /// How it stands.
        state: String,
        /// What to do.
        fix: String,
    },
}

impl ActError {
    /// For `map_err`.
    pub fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { what, source }
    }
}
