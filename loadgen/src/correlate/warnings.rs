//! What a reader must know before believing a figure.

use super::completeness::entries_untold;
use super::context::Context;
use super::nodes::unwatched;
use crate::report::schema::{Completeness, Ledger};

/// All warnings; the run's own come first.
pub fn warnings(ctx: &Context<'_, '_>, ledger: &Ledger, seen: &Completeness, ways_unmeasured: u64) -> Vec<String> {
    let mut warnings = ctx.raw.run.warnings.clone();
    warnings.extend(ctx.raw.warnings.iter().cloned());
    for file in &ctx.raw.observers {
        warnings.extend(file.problems.iter().map(|problem| format!("observer on {}: {problem}", file.node)));
        let restarted = file.after.as_ref().is_some_and(|after| after.started_ns != file.before.started_ns);
        if restarted {
            warnings.push(format!(
                "the observer on {} started again during the run: what happened while it was down is missing",
                file.node
            ));
        }
    }
    let mut add = |applies: bool, text: String| {
        if applies {
            warnings.push(text);
        }
    };
    add(!ctx.observed(), "no records of an observer: pods, hops and causes are not measured".to_owned());
    for text in unwatched(&seen.nodes) {
        add(true, text);
    }
    for node in &ctx.seen.nodes_without_clock {
        add(true, format!("the clock of node {node} is not known; its times are taken as ours"));
    }
    add(ledger.unaccounted > 0, format!("{} requests have no client record", ledger.unaccounted));
    let dropped = seen.events_dropped.unwrap_or(0);
    add(dropped > 0, format!("{dropped} kernel events were lost: \"not seen\" does not mean \"did not happen\""));
    let untold = entries_untold(&ctx.raw.observers);
    add(
        untold > 0,
        format!(
            "the kernel told of {untold} new conntrack entries only when it was asked: those of clients may be missing"
        ),
    );
    let dropped = seen.records_dropped.unwrap_or(0);
    add(dropped > 0, format!("{dropped} records did not fit into the observer's store"));
    let conflicts = &ctx.join.conflicts;
    add(conflicts.count > 0, format!("{} joins disagree, e.g. {}", conflicts.count, conflicts.examples.join("; ")));
    let unjoined = ctx.join.unjoined;
    add(unjoined > 0, format!("{unjoined} attempts of the gateway could not be given to any request"));
    add(seen.goose_agrees == Some(false), "goose counts other requests, successes or failures than we do".to_owned());
    add(
        seen.watch_gaps > 0,
        format!("the Kubernetes watch failed {} times: changes may be missing from the time line", seen.watch_gaps),
    );
    if ctx.observed() {
        add(
            ways_unmeasured > 0,
            format!(
                "the way of {ways_unmeasured} successes could not be measured (not seen at the gateway, or moments out of order)"
            ),
        );
    }
    warnings
}
