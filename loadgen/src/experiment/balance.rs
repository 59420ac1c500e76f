//! Q4.2 and Q8.2: who gets the requests, and who decided that.

use std::collections::BTreeMap;

use super::Experiment;

/// Nothing is done to the cluster: the choices are what is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Balance {
    /// The request whose decision is told in full. `None`: one in the middle.
    pub request: Option<u64>,
}

impl Experiment for Balance {
    fn name(&self) -> &'static str {
        "balance"
    }

    fn settings(&self) -> BTreeMap<String, String> {
        self.request.map(|seq| ("request".to_owned(), seq.to_string())).into_iter().collect()
    }
}
