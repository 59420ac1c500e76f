//! The kernel side's counters.

use std::collections::BTreeMap;

/// Counters by name, summed over the CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Each of these means that something was not told.
    pub lost: BTreeMap<String, u64>,
    /// Worth knowing, no loss.
    pub seen: BTreeMap<String, u64>,
}
