//! Before, during, after: from our own actions on the time line.

use crate::correlate::context::Context;
use crate::raw::Subject;
use crate::report::schema::SlowedBy;

/// Names of the actions.
pub const BY_DELAY: &str = "slow_pod_delay";
/// See [`BY_DELAY`].
pub const BY_CPU: &str = "slow_pod_cpu";
/// The action that ends it.
pub const RESTORE: &str = "restore";

/// A pod that was slowed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slowed {
    /// Its name.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// How.
    pub by: SlowedBy,
    /// In words.
    pub how: String,
    /// `(name, from, until)`; between two of them a change was under way.
    pub phases: [(&'static str, u64, u64); 3],
}

/// What our own actions say. `None`: no pod was slowed.
pub fn slowed(ctx: &Context<'_, '_>) -> Option<Slowed> {
    let run = &ctx.raw.run;
    let mut actions = ctx.raw.timeline.iter().filter_map(|entry| match &entry.subject {
        Subject::Action { name, target, uid, requested_ns, detail } => {
            Some((name.as_str(), target.as_str(), uid.as_deref(), *requested_ns, entry.at_ns, detail.as_str()))
        }
        _ => None,
    });
    let (name, target, uid, asked_ns, done_ns, how) = actions.find(|action| matches!(action.0, BY_DELAY | BY_CPU))?;
    let restored = actions.find(|action| action.0 == RESTORE && action.1 == target);
    let (back_ns, again_ns) = restored.map_or((run.ended_ns, run.ended_ns), |action| (action.3, action.4));
    let end_ns = run.ended_ns.max(again_ns);
    Some(Slowed {
        pod: target.strip_prefix("pod/").unwrap_or(target).to_owned(),
        uid: uid.unwrap_or_default().to_owned(),
        by: if name == BY_CPU { SlowedBy::Cpu } else { SlowedBy::Delay },
        how: how.to_owned(),
        phases: [
            ("before", run.started_ns, asked_ns),
            ("during", done_ns, back_ns.max(done_ns)),
            ("after", again_ns.max(done_ns), end_ns.max(done_ns)),
        ],
    })
}
