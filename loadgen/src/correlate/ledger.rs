//! sent = succeeded + failed + unaccounted.

use std::collections::BTreeMap;

use super::cause::in_words;
use super::clients::Clients;
use super::context::Context;
use super::distribution::Distribution;
use super::failures::Failed;
use crate::raw::Request;
use crate::report::schema::{LatencyPair, Ledger};

/// Closes the ledger.
pub fn ledger(ctx: &Context<'_, '_>, failed: &[Failed]) -> Ledger {
    let mut ledger = Ledger { failed: failed.len() as u64, ..Ledger::default() };
    ledger.succeeded = ctx.client.len() as u64 - ledger.failed;
    // A run that was cut before it wrote its own count has sent at least what it has records of.
    ledger.sent = ctx.raw.run.sent.max(ctx.client.len() as u64);
    ledger.unaccounted = ledger.sent - ctx.client.len() as u64;
    for failed in failed {
        *ledger.by_cause.entry(failed.failure.cause).or_insert(0) += 1;
    }
    let mut by_status: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for client in ctx.client.iter() {
        *by_status.entry(client.status.filter(|_| client.error.is_none())).or_insert(0) += 1;
    }
    let named = |(status, count): (Option<u16>, u64)| (status.map_or("none".to_owned(), |s| s.to_string()), count);
    ledger.by_status = by_status.into_iter().map(named).collect();
    ledger
}

/// Latency of successes at the client.
pub fn latency(client: &Clients<'_>) -> LatencyPair {
    let (mut from_due, mut from_sent) = (Distribution::new(), Distribution::new());
    for request in client.iter().filter(Request::succeeded) {
        from_due.add_ns(request.end_ns.saturating_sub(start_ns(request)));
        from_sent.add_ns(request.end_ns.saturating_sub(request.sent_ns));
    }
    LatencyPair { from_due: from_due.latency(), from_sent: from_sent.latency() }
}

/// Where a request's latency counts from: the intended time when no worker was free for it.
pub fn start_ns(request: Request<'_>) -> u64 {
    if request.starved { request.due_ns.min(request.sent_ns) } else { request.sent_ns }
}

/// What the client saw, in words.
pub fn outcome(request: Request<'_>) -> String {
    match (request.error, request.status) {
        (None, Some(status)) => format!("status {status}"),
        (Some(error), None) => in_words(error.kind).to_owned(),
        (Some(error), Some(status)) => format!("status {status}, then {}", in_words(error.kind)),
        (None, None) => "no answer".to_owned(),
    }
}
