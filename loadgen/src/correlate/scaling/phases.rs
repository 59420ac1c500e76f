//! The run in stretches between changes of load and of replicas.

use crate::correlate::clock::ms_between;
use crate::correlate::context::Context;
use crate::correlate::distribution::Distribution;
use crate::correlate::ledger::start_ns;
use crate::raw::Schedule;
use crate::report::schema::ScalingPhase;

/// A change and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Asked for, or decided.
    pub from_ns: u64,
    /// All pods there, or gone.
    pub until_ns: u64,
    /// Replicas before.
    pub from: i32,
    /// Replicas after.
    pub to: i32,
}

/// Rate steps of a schedule: when each begins, and its rate. One of another kind has none.
pub fn load_steps(schedule: &Schedule, started_ns: u64) -> Vec<(u64, f64)> {
    let Schedule::Steps { steps } = schedule else { return Vec::new() };
    let mut at_s = 0.0;
    steps
        .iter()
        .map(|(rate_per_s, length_s)| {
            let from_ns = started_ns + (at_s * 1e9) as u64;
            at_s += length_s;
            (from_ns, *rate_per_s)
        })
        .collect()
}

/// All stretches, in order of time.
pub fn phases(ctx: &Context<'_, '_>, spans: &[Span], at_start: Option<i32>) -> Vec<ScalingPhase> {
    let run = &ctx.raw.run;
    let loads = load_steps(&run.config.schedule, run.started_ns);
    let mut cuts: Vec<u64> = loads.iter().map(|(ns, _)| *ns).collect();
    cuts.extend(spans.iter().flat_map(|span| [span.from_ns, span.until_ns]));
    cuts.extend([run.started_ns, run.ended_ns]);
    cuts.retain(|ns| (run.started_ns..=run.ended_ns).contains(ns));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| phase(ctx, pair[0], pair[1], &name(pair[0], &loads, spans, at_start))).collect()
}

fn name(from_ns: u64, loads: &[(u64, f64)], spans: &[Span], at_start: Option<i32>) -> String {
    let load = loads.iter().rev().find(|(ns, _)| *ns <= from_ns).map(|(_, rate)| format!("{rate}/s, "));
    let span = spans.iter().rev().find(|span| span.from_ns <= from_ns);
    let replicas = match span {
        Some(span) if span.until_ns > from_ns => format!("{} → {} replicas", span.from, span.to),
        Some(span) => format!("{} replicas", span.to),
        None => at_start.map_or_else(|| "replicas not known".to_owned(), |replicas| format!("{replicas} replicas")),
    };
    load.unwrap_or_default() + &replicas
}

fn phase(ctx: &Context<'_, '_>, from_ns: u64, until_ns: u64, name: &str) -> ScalingPhase {
    let started_ns = ctx.raw.run.started_ns;
    let last = until_ns == ctx.raw.run.ended_ns;
    let (mut requests, mut failed) = (0, 0);
    let mut latency = Distribution::new();
    for client in ctx.client.iter().filter(|c| c.due_ns >= from_ns && (c.due_ns < until_ns || last)) {
        requests += 1;
        if client.succeeded() {
            latency.add_ns(client.end_ns.saturating_sub(start_ns(client)));
        } else {
            failed += 1;
        }
    }
    ScalingPhase {
        name: name.to_owned(),
        from_ms: ms_between(started_ns, from_ns),
        until_ms: ms_between(started_ns, until_ns),
        requests,
        failed,
        latency: latency.latency(),
    }
}
