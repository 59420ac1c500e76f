//! Telling the user what is going on. Who tells, and where, is not the experiment's business.

use std::time::Duration;

use crate::load::counters::Snapshot;

/// Takes what the user may want to know while it happens.
pub trait Narrator: Send + Sync {
    /// A step begins.
    fn step(&self, what: &str);
    /// Something the user should know.
    fn warn(&self, what: &str);
    /// How the load stands. `total`: how long the schedule is, when that is known.
    fn load(&self, elapsed: Duration, total: Option<Duration>, counts: Snapshot);
    /// The load has ended.
    fn load_ended(&self);
}

/// Tells nobody.
#[derive(Debug, Default)]
pub struct Silent;

impl Narrator for Silent {
    fn step(&self, _what: &str) {}
    fn warn(&self, _what: &str) {}
    fn load(&self, _elapsed: Duration, _total: Option<Duration>, _counts: Snapshot) {}
    fn load_ended(&self) {}
}
