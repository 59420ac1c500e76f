//! Raw files → report: a pure function. No socket, no clock, no file; the same input gives the same report.
//!
//! The order of work: put everything on one clock and index it ([`seen`], [`cluster`]), find what belongs together
//! ([`join`]), decide why requests failed ([`cause`]), and only then sum up.

mod balance;
mod beside;
mod canary;
mod cause;
mod chain;
mod clients;
mod clock;
mod clocks;
mod cluster;
pub mod compare;
mod completeness;
mod context;
mod distribution;
mod failures;
mod hops;
pub mod hpa;
mod join;
mod lags;
mod ledger;
mod limits;
mod nodes;
mod pods;
pub mod repeat;
pub mod requests;
mod revisions;
mod scaling;
mod seen;
mod slow;
mod slow_pod;
mod stopped;
mod timeline;
mod timeline_scaling;
mod verdict;
mod warnings;
mod what_if;

pub use limits::SLOWEST;
pub use verdict::Propagation;

use std::panic::resume_unwind;
use std::thread;

use crate::raw::{EndedBy, RawRun, TimelineEntry};
use crate::report::schema::{Balance, HopReport, LatencyPair, Report, RunInfo, SCHEMA_VERSION, SlowPod, SlowRequest};
use cause::Dials;
use clients::Clients;
use clock::WallClock;
use clocks::Clocks;
use cluster::Cluster;
use context::Context;
use join::{Input, Join};
use seen::Seen;

/// Makes the report of a run. Thresholds are not part of the raw files: see [`crate::report::threshold`].
pub fn correlate(raw: &RawRun) -> Report {
    correlate_explaining(raw, SLOWEST)
}

/// The same with so many of the slowest successes explained.
pub fn correlate_explaining(raw: &RawRun, slowest: usize) -> Report {
    in_context(raw, |ctx, timeline| assemble(ctx, timeline, slowest))
}

/// Joins a run and hands it on.
fn in_context<T>(raw: &RawRun, then: impl FnOnce(&Context<'_, '_>, &[&TimelineEntry]) -> T) -> T {
    let client = Clients::of(&raw.client);
    let mut timeline: Vec<&TimelineEntry> = raw.timeline.iter().collect();
    timeline.sort_by_key(|entry| entry.at_ns);
    let mut cluster = Cluster::from_timeline(&timeline, &raw.run.config);
    let clocks = Clocks::of(&raw.observers, &raw.run.shards);
    let seen = Seen::index(&raw.records, &client, &clocks, &mut cluster);
    let clock_error_ns = clocks.largest_error_between_ns();
    let join = Join::new(&Input {
        run: &raw.run,
        client: &client,
        seen: &seen,
        cluster: &cluster,
        clock_error_ns: clock_error_ns.unwrap_or(0),
    });
    let clock = WallClock::of(&raw.run);
    let ctx = Context {
        raw,
        client: &client,
        seen: &seen,
        cluster: &cluster,
        join: &join,
        clock,
        clocks: &clocks,
        clock_error_ns,
        dials: Dials::of(&seen),
    };
    then(&ctx, &timeline)
}

fn assemble(ctx: &Context<'_, '_>, timeline: &[&TimelineEntry], slowest: usize) -> Report {
    let run = &ctx.raw.run;
    // What went well and what failed are looked at side by side: neither needs the other.
    let (well, (moments, failed)) = thread::scope(|scope| {
        let well = scope.spawn(|| Well::of(ctx, slowest));
        let moments = chain::kernel_moments(ctx);
        let failed = failures::failures(ctx, &moments);
        (well.join().unwrap_or_else(|panic| resume_unwind(panic)), (moments, failed))
    });
    let Well { hops, ways_unmeasured, balance, slow_pod, slow, latency } = well;
    let ledger = ledger::ledger(ctx, &failed);
    let deletions = failures::deletions(ctx, &moments, &failed);
    let scaling = scaling::scaling(ctx, timeline, &deletions);
    let reapplied = scaling::warnings(timeline, run.started_ns);
    let timeline = timeline::items(timeline, run, ctx.clock);
    let completeness = completeness::completeness(ctx, &failed);
    let pods = pods::pods(ctx, &failed);
    let canary = canary::canary(ctx);
    let verdicts = {
        let failures: Vec<_> = failed.iter().map(|failed| &failed.failure).collect();
        let findings = verdict::Findings {
            ledger: &ledger,
            failures: &failures,
            deletions: &deletions,
            balance: balance.as_ref(),
            slow_pod: slow_pod.as_ref(),
            canary: canary.as_ref(),
            scaling: scaling.as_ref(),
        };
        verdict::verdicts(ctx, &findings)
    };
    let mut warnings = warnings::warnings(ctx, &ledger, &completeness, ways_unmeasured);
    warnings.extend(reapplied);
    Report {
        schema_version: SCHEMA_VERSION,
        tool: format!("podwitness {}", run.tool_version),
        experiment: run.experiment.clone(),
        run: run_info(ctx),
        environment: run.environment.clone(),
        config: run.config.clone(),
        latency,
        balance,
        slow_pod,
        canary,
        revisions: revisions::revisions(ctx),
        slow,
        observer_cost: completeness::observer_cost(ctx),
        ledger,
        completeness,
        hops,
        pods,
        deletions,
        scaling,
        failures: failed.into_iter().map(|failed| failed.failure).collect(),
        timeline,
        verdicts,
        thresholds: Vec::new(),
        warnings,
    }
}

/// The sections about successes.
struct Well {
    hops: Vec<HopReport>,
    /// Successes whose way could not be measured.
    ways_unmeasured: u64,
    balance: Option<Balance>,
    slow_pod: Option<SlowPod>,
    slow: Vec<SlowRequest>,
    latency: LatencyPair,
}

impl Well {
    fn of(ctx: &Context<'_, '_>, slowest: usize) -> Self {
        let (hops, ways_unmeasured) = hops::hops(ctx);
        Self {
            hops,
            ways_unmeasured,
            balance: balance::balance(ctx),
            slow_pod: slow_pod::slow_pod(ctx),
            slow: slow::slowest(ctx, slowest),
            latency: ledger::latency(ctx.client),
        }
    }
}

fn run_info(ctx: &Context<'_, '_>) -> RunInfo {
    let run = &ctx.raw.run;
    let ended_by = match run.ended_by {
        EndedBy::Schedule => "schedule",
        EndedBy::Interrupt => "interrupt",
        EndedBy::Error => "error",
    };
    let records_whole = ctx.raw.observers.iter().all(|file| file.records_end.is_some());
    RunInfo {
        id: run.id.clone(),
        started_at: ctx.clock.rfc3339(run.started_ns),
        started_ns: run.started_ns,
        ended_at: ctx.clock.rfc3339(run.ended_ns),
        ended_ns: run.ended_ns,
        ended_by: ended_by.to_owned(),
        complete: run.ended_by == EndedBy::Schedule
            && ctx.raw.warnings.is_empty()
            && records_whole
            && run.client_records_dropped == 0
            && ctx.client.len() as u64 == run.sent,
    }
}
