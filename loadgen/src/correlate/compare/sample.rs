//! What a comparison needs of one run.

use std::collections::BTreeMap;

use super::super::context::Context;
use super::super::hops::{Part, stretches};
use super::super::ledger::start_ns;
use super::super::{SLOWEST, assemble, in_context};
use crate::raw::{RawRun, Request};
use crate::report::schema::Report;

/// Blocks of time are at most this long: what one slow moment does to the next is over by then …
const LONGEST_BLOCK_NS: u64 = 1_000_000_000;
/// … and short enough for a run to have this many, where it can.
const BLOCKS: u64 = 60;
/// Shorter ones would hold a handful of requests.
const SHORTEST_BLOCK_NS: u64 = 100_000_000;

/// Values in nanoseconds, each with the block of time it is from.
pub type Values = Vec<(u64, u64)>;

/// One run.
pub struct Sample {
    /// Its report.
    pub report: Report,
    /// Latency of each success, from the intended send time when no worker was free.
    pub latency: Values,
    /// Length of each stretch of each success whose way was measured, by the stretch's name, in order of the way.
    pub hops: Vec<(&'static str, Values)>,
}

/// Joins a run and takes its values.
pub fn sample(raw: &RawRun) -> Sample {
    in_context(raw, |ctx, timeline| Sample {
        report: assemble(ctx, timeline, SLOWEST),
        latency: latency(ctx),
        hops: hops(ctx),
    })
}

fn block_of(ctx: &Context<'_, '_>, due_ns: u64) -> u64 {
    let run = &ctx.raw.run;
    let length_ns = run.ended_ns.saturating_sub(run.started_ns);
    due_ns.saturating_sub(run.started_ns) / (length_ns / BLOCKS).clamp(SHORTEST_BLOCK_NS, LONGEST_BLOCK_NS)
}

fn latency(ctx: &Context<'_, '_>) -> Values {
    let successes = ctx.client.iter().filter(Request::succeeded);
    successes.map(|request| (block_of(ctx, request.due_ns), request.end_ns.saturating_sub(start_ns(request)))).collect()
}

fn hops(ctx: &Context<'_, '_>) -> Vec<(&'static str, Values)> {
    let mut by_stretch: BTreeMap<_, Values> = BTreeMap::new();
    for (position, request) in ctx.client.iter().enumerate().filter(|(_, request)| request.succeeded()) {
        for Part { stretch, ns, .. } in stretches(ctx, position as u32).into_iter().flatten() {
            by_stretch.entry(stretch).or_default().push((block_of(ctx, request.due_ns), ns));
        }
    }
    by_stretch.into_iter().map(|(stretch, values)| (stretch.name(), values)).collect()
}
