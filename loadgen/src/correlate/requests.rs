//! Single requests, each with all that is known of it.

use super::chain;
use super::context::Context;
use super::failures::{Failed, failures};
use super::hops::{Stretch, stretches};
use super::in_context;
use super::join::Attempt;
use super::ledger::{outcome, start_ns};
use super::seen::{Conn, Exch};
use crate::raw::{RawRun, Request};
use crate::report::schema::{Cause, RequestAttempt, RequestPart, RequestReport};

/// Which requests. Each condition that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// One of these numbers. Empty: all.
    pub seqs: Vec<u64>,
    /// One of these trace ids. Empty: all.
    pub trace_ids: Vec<String>,
    /// Only those that failed.
    pub failed: bool,
    /// Only those that failed for this reason.
    pub cause: Option<Cause>,
    /// Only those of this pod, serving or gateway.
    pub pod: Option<String>,
    /// Only those whose latency is larger.
    pub slower_than_ns: Option<u64>,
}

impl Selection {
    /// What the client alone knows.
    fn may_be(&self, client: Request<'_>) -> bool {
        (self.seqs.is_empty() || self.seqs.contains(&client.seq))
            && (self.trace_ids.is_empty() || self.trace_ids.contains(&client.trace_id()))
            && !((self.failed || self.cause.is_some()) && client.succeeded())
            && self.slower_than_ns.is_none_or(|least| latency_ns(client) > least)
    }

    fn is(&self, request: &RequestReport) -> bool {
        let of_pod = |pod: &String| [&request.pod, &request.gateway_pod].into_iter().flatten().any(|name| name == pod);
        self.cause.is_none_or(|cause| request.cause == Some(cause)) && self.pod.as_ref().is_none_or(of_pod)
    }
}

/// Hands on each request that is wanted, in order of their numbers, until one is refused.
pub fn requests<E>(
    raw: &RawRun,
    wanted: &Selection,
    mut each: impl FnMut(RequestReport) -> Result<(), E>,
) -> Result<(), E> {
    in_context(raw, |ctx, _| {
        let moments = chain::kernel_moments(ctx);
        let mut failed = failures(ctx, &moments).into_iter().peekable();
        for request in 0..ctx.client.len() as u32 {
            // They are in the same order.
            let failed = failed.next_if(|failed| failed.request == request);
            let client = ctx.client.at(request);
            if !wanted.may_be(client) {
                continue;
            }
            let report = report(ctx, request, failed);
            if wanted.is(&report) {
                each(report)?;
            }
        }
        Ok(())
    })
}

/// Names of all parts that a request's way can have, in order.
pub fn part_names() -> impl Iterator<Item = &'static str> {
    Stretch::names()
}

fn latency_ns(client: Request<'_>) -> u64 {
    client.end_ns.saturating_sub(start_ns(client))
}

fn report(ctx: &Context<'_, '_>, request: u32, failed: Option<Failed>) -> RequestReport {
    let client = ctx.client.at(request);
    let decisive = ctx.join.decisive(request);
    let failure = failed.map(|failed| failed.failure);
    let served_by = decisive.and_then(|attempt| attempt.pod).map(|pod| ctx.cluster.pod(pod));
    let (pod, pod_uid, joined_by) = match &failure {
        Some(failure) => (failure.pod.clone(), failure.pod_uid.clone(), failure.joined_by),
        None => (
            served_by.map(|life| life.name.to_owned()),
            served_by.map(|life| life.uid.to_owned()),
            decisive.map(|attempt| attempt.joined_by),
        ),
    };
    let way = stretches(ctx, request).filter(|_| client.succeeded());
    let part = |stretch: Stretch, ns| RequestPart { name: stretch.name().to_owned(), duration_ns: ns };
    RequestReport {
        seq: client.seq,
        trace_id: client.trace_id(),
        due_ns: client.due_ns,
        sent_at: ctx.clock.rfc3339(client.sent_ns),
        sent_ns: client.sent_ns,
        ended_ns: client.end_ns,
        latency_us: latency_ns(client) as f64 / 1e3,
        succeeded: client.succeeded(),
        outcome: outcome(client),
        status: client.status,
        cause: failure.as_ref().map(|failure| failure.cause),
        gateway_pod: ctx.front(request).pod.map(|pod| ctx.pod_name(pod).to_owned()),
        pod,
        pod_uid,
        pod_by_answer: client.pod_name.map(ToOwned::to_owned),
        joined_by,
        attempts: ctx.join.attempts_of(request).map(|made| attempt(ctx, made)).collect(),
        parts: way.map(|way| way.into_iter().map(|it| part(it.stretch, it.ns)).collect()),
        evidence: failure.map(|failure| failure.evidence).unwrap_or_default(),
    }
}

fn attempt(ctx: &Context<'_, '_>, made: &Attempt) -> RequestAttempt {
    let (conn, exchange) = (ctx.conn(made), ctx.exchange(made));
    let nat = conn.and_then(Conn::nat);
    let dialled = nat.map(|nat| nat.dialled).or(conn.map(Conn::remote));
    RequestAttempt {
        at: ctx.clock.rfc3339(made.start_ns),
        at_ns: made.start_ns,
        pod: made.pod.map(|pod| ctx.pod_name(pod).to_owned()),
        source: conn.map(|conn| conn.local().to_string()),
        dialled: dialled.map(|address| address.to_string()),
        chosen: nat.map(|nat| nat.chosen.to_string()),
        nat_source: nat.map(|nat| nat.source),
        connection_reused: exchange.is_some_and(Exch::reused),
        connection: conn.map(Conn::outcome),
        status: exchange.and_then(Exch::status),
        joined_by: made.joined_by,
    }
}
