//! Facts: what, when, and who says so.

use crate::correlate::clock::{WallClock, ms_between};
use crate::correlate::cluster::PodLife;
use crate::correlate::context::Context;
use crate::report::schema::Evidence;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at_ns: u64,
    /// What, in words.
    pub what: String,
    /// `client`, `kernel`, `conntrack`, `kubernetes`, `action`.
    pub source: &'static str,
}

/// Facts collected for one request.
#[derive(Clone, Debug, Default)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// Adds one.
    pub fn add(&mut self, at_ns: u64, source: &'static str, what: impl Into<String>) {
        self.0.push(Fact { at_ns, what: what.into(), source });
    }

    /// What is known of a pod's end, as far as it bears on something that happened at `at_ns`.
    pub fn pod_end(&mut self, life: &PodLife<'_>, at_ns: u64) {
        let name = life.name;
        if let Some(ns) = life.deletion_requested_ns {
            self.add(ns, "action", format!("asked to delete pod {name}"));
        }
        if let Some(ns) = life.terminating_ns {
            self.add(ns, "kubernetes", format!("pod {name} has a deletion time stamp"));
        }
        if let Some((ns, message)) = life.hook_failed {
            self.add(
                ns,
                "kubernetes",
                format!("FailedPreStopHook of pod {name}, so nothing delayed its end: {message}"),
            );
        }
        if let Some(ns) = life.endpoint_removed_ns() {
            let order = if ns <= at_ns { "before" } else { "after" };
            let distance_ms = ms_between(ns.min(at_ns), ns.max(at_ns));
            self.add(
                ns,
                "kubernetes",
                format!("pod {name} is no longer a ready endpoint, {distance_ms:.1} ms {order} this attempt"),
            );
        }
        if let Some(ns) = life.absent_since_ns {
            self.add(ns, "kubernetes", format!("pod {name} was gone before the watch began"));
        }
        if let Some(ns) = life.gone_ns {
            self.add(ns, "kubernetes", format!("pod {name} is gone"));
        }
    }

    /// Says what is missing for a verdict, at the time of the request.
    pub fn missing(&mut self, ctx: &Context<'_, '_>, request: u32, what: &str) {
        let at_ns = ctx.client.at(request).end_ns;
        self.add(at_ns, "client", format!("not proven: {what}"));
    }

    /// In order of time, as the report shows them.
    pub fn into_evidence(mut self, clock: WallClock) -> Vec<Evidence> {
        self.0.sort_by_key(|fact| fact.at_ns);
        self.0
            .into_iter()
            .map(|fact| Evidence {
                at: clock.rfc3339(fact.at_ns),
                at_ns: fact.at_ns,
                what: fact.what,
                source: fact.source.to_owned(),
            })
            .collect()
    }
}
