//! The attempt had a connection to a pod.

use observer::record::{Close, ExchangeEnd};

use super::Facts;
use super::attempt::{ending, entry_is_old, first_met_a_dead_pod};
use super::unanswered::no_endpoint;
use crate::correlate::context::Context;
use crate::correlate::join::Attempt;
use crate::correlate::limits::{SYN_TIMEOUT_NS, WATCH_LAG_NS};
use crate::correlate::seen::{Conn, Exch};
use crate::correlate::stopped::Stopped;
use crate::report::schema::Cause;

/// Who ended the connection before the answer was complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EndedBy {
    Pod,
    Gateway,
    Nobody,
}

/// The request was written.
pub fn cause(ctx: &Context<'_, '_>, request: u32, attempt: &Attempt, facts: &mut Facts) -> Cause {
    let Some(exchange) = ctx.exchange(attempt) else { return Cause::Unknown };
    let status = ctx.client.at(request).status;
    if exchange.end() == ExchangeEnd::Complete {
        return match exchange.status() {
            Some(answered) if answered >= 500 => Cause::Pod5xx,
            // The pod's answer was good, and the gateway made an error of it.
            Some(_) if status.is_some_and(|status| status >= 500) => Cause::GatewayError,
            _ => {
                facts.missing(ctx, request, "what became of the pod's complete answer on the way to the client");
                Cause::Unknown
            }
        };
    }
    if matches!(exchange.end(), ExchangeEnd::Unparsed | ExchangeEnd::Upgraded) {
        facts.missing(ctx, request, "what the pod answered: its bytes could not be read as HTTP/1.x");
        return Cause::Unknown;
    }
    let conn = ctx.conn(attempt);
    match ended_by(exchange, conn) {
        EndedBy::Pod => cut(ctx, request, attempt, exchange, conn, facts),
        EndedBy::Gateway | EndedBy::Nobody => gave_up(ctx, request, attempt, exchange, conn, facts),
    }
}

/// A connection was made, but nothing was written on it.
pub fn nothing(ctx: &Context<'_, '_>, request: u32, attempt: &Attempt, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    let by_pod = matches!(conn.close(), Some(Close::ResetRemote | Close::FinRemote));
    let ended_ns = conn.ended_ns().unwrap_or_else(|| conn.opened_ns());
    let life = attempt.pod.map(|pod| ctx.cluster.pod(pod));
    if by_pod && life.is_some_and(|life| ending(life, ended_ns, facts)) {
        // The kernel had completed the handshake for a listener that closed before it accepted.
        return Cause::RefusedByTerminatedPod;
    }
    // As late as a repeated SYN is one that waited for somebody to have the address.
    let took_ns = conn.established_ns().map_or(0, |ns| ns.saturating_sub(conn.opened_ns()));
    let late = conn.syn_retransmits() > 0 || took_ns >= SYN_TIMEOUT_NS;
    if matches!(conn.close(), Some(Close::FinLocal | Close::ResetLocal)) && late {
        return answered_too_late(ctx, request, attempt, conn, facts);
    }
    facts.missing(ctx, request, "why nothing was written on an established connection");
    Cause::Unknown
}

/// The SYN was answered just when the gateway gave up: what matters is why the first one was not.
fn answered_too_late(
    ctx: &Context<'_, '_>,
    request: u32,
    attempt: &Attempt,
    conn: Conn<'_>,
    facts: &mut Facts,
) -> Cause {
    let opened_ns = conn.opened_ns();
    let ended_ns = conn.ended_ns().unwrap_or(opened_ns);
    if let Some(at_ns) = conn.established_ns() {
        let whose = if conn.syn_retransmits() > 0 { "a repeated SYN" } else { "the SYN" };
        let late_s = at_ns.saturating_sub(opened_ns) as f64 / 1e9;
        facts.add(
            at_ns,
            "kernel",
            format!("{whose} was answered after {late_s:.2} s, too late for the gateway's patience"),
        );
    }
    if first_met_a_dead_pod(ctx, conn) {
        return Cause::StaleNatEntry;
    }
    // The entry led to whoever has the address by now, and the first SYN came before that one did.
    let led_to = conn.nat_pod().map(|pod| ctx.cluster.pod(pod));
    if entry_is_old(conn) && led_to.is_some_and(|life| life.ending_by(opened_ns).is_some()) {
        return Cause::StaleNatEntry;
    }
    let first_had_no_entry = conn.nat_created_ns().is_none_or(|ns| ns >= opened_ns.saturating_add(SYN_TIMEOUT_NS));
    if first_had_no_entry && no_endpoint(ctx, &ctx.raw.run.config.upstream_service, opened_ns, facts) {
        return Cause::NoReadyEndpoint;
    }
    let life = attempt.pod.map(|pod| ctx.cluster.pod(pod));
    if life.is_some_and(|life| life.ready_throughout(opened_ns, ended_ns.saturating_add(WATCH_LAG_NS))) {
        return Cause::NetworkLoss;
    }
    facts.missing(ctx, request, "why the first SYN was not answered");
    Cause::Unknown
}

fn ended_by(exchange: Exch<'_>, conn: Option<Conn<'_>>) -> EndedBy {
    match conn.and_then(Conn::close) {
        Some(Close::FinRemote | Close::ResetRemote) => EndedBy::Pod,
        Some(Close::FinLocal | Close::ResetLocal) => EndedBy::Gateway,
        // Without the connection's own record, a reset that ended the exchange came from the other side.
        None if exchange.end() == ExchangeEnd::Reset => EndedBy::Pod,
        Some(Close::TimedOut) | None => EndedBy::Nobody,
    }
}

/// The pod's side ended the connection without a complete answer.
fn cut(
    ctx: &Context<'_, '_>,
    request: u32,
    attempt: &Attempt,
    exchange: Exch<'_>,
    conn: Option<Conn<'_>>,
    facts: &mut Facts,
) -> Cause {
    let ended_ns = conn.and_then(Conn::ended_ns).unwrap_or_else(|| exchange.last_seen_ns());
    // Closed by the pod while the connection was idle: the request met a closed socket and was never read.
    let read_by_pod = ctx.pod_exchange(attempt).is_some_and(|at_pod| at_pod.request_read_ns().is_some());
    let answer_begun = exchange.response_start_ns().is_some();
    if exchange.reused() && !read_by_pod && !answer_begun {
        return Cause::StaleKeepalive;
    }
    let life = attempt.pod.map(|pod| ctx.cluster.pod(pod));
    if life.is_some_and(|life| ending(life, ended_ns, facts)) {
        return Cause::CutInFlight;
    }
    facts.missing(ctx, request, "why a pod that was not being deleted ended the connection without an answer");
    Cause::Unknown
}

/// The gateway gave up waiting, or the connection died silently.
fn gave_up(
    ctx: &Context<'_, '_>,
    request: u32,
    attempt: &Attempt,
    exchange: Exch<'_>,
    conn: Option<Conn<'_>>,
    facts: &mut Facts,
) -> Cause {
    let ended_ns = conn.and_then(Conn::ended_ns).unwrap_or_else(|| ctx.client.at(request).end_ns);
    let life = attempt.pod.map(|pod| ctx.cluster.pod(pod));
    let answered_by_gateway = ctx.client.at(request).status.is_some();
    let at_pod = ctx.pod_exchange(attempt);
    if life.is_some_and(|life| life.gone_ns.is_some_and(|gone_ns| gone_ns <= ended_ns)) {
        // The pod vanished without closing the connection.
        return Cause::CutInFlight;
    }
    if at_pod.is_some_and(|at_pod| at_pod.response_end_ns().is_none_or(|end_ns| end_ns > ended_ns)) {
        let what = "the request was at the pod, and its answer was not complete when the wait ended";
        facts.add(ended_ns, "kernel", what);
        if let (Some(life), Some(at_pod)) = (life, at_pod) {
            let wait = (at_pod.request_start_ns(), ended_ns);
            let stopped = Stopped::of(life, wait, wait, ctx.records_whole());
            let name = format!("pod {}", life.name);
            if let Some((_, what)) = stopped.reason(&name) {
                facts.add(ended_ns, "kernel", what);
            } else if let Some(ran) = stopped.ran_in_words() {
                let waited_ms = wait.1.saturating_sub(wait.0) as f64 / 1e6;
                facts.add(
                    ended_ns,
                    "kernel",
                    format!("{name} {ran} in the {waited_ms:.0} ms in which it had the request"),
                );
            }
        }
        return if answered_by_gateway { Cause::PodTooSlow } else { Cause::ClientTimeout };
    }
    let until_ns = ended_ns.saturating_add(WATCH_LAG_NS);
    let lost = conn.is_some_and(|conn| conn.retransmits() > 0);
    if at_pod.is_none() && lost && life.is_some_and(|life| life.ready_throughout(exchange.request_start_ns(), until_ns))
    {
        facts.add(
            ended_ns,
            "kernel",
            "the request was sent again and again, and never arrived at the pod, which was ready",
        );
        return Cause::NetworkLoss;
    }
    facts.missing(ctx, request, "whether the pod had received the request");
    Cause::Unknown
}
