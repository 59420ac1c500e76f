//! The client got no (complete) answer.

use super::answered::every_entry_told;
use super::unanswered::no_endpoint;
use super::{Decision, Facts, attempt, stalled};
use crate::correlate::cluster::Role;
use crate::correlate::context::Context;
use crate::correlate::limits::STALE_ENTRY_NS;
use crate::raw::ClientErrorKind;
use crate::report::schema::{Cause, JoinedBy};

/// What the client itself says.
pub fn tell(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) {
    let client = ctx.client.at(request);
    facts.add(client.sent_ns, "client", "sent");
    let end = match (client.error, client.status) {
        (Some(error), Some(status)) => format!("status {status}, then {}: {}", in_words(error.kind), error.detail),
        (Some(error), None) => format!("{}: {}", in_words(error.kind), error.detail),
        (None, Some(status)) => format!("answered with status {status}"),
        (None, None) => "ended without answer and without error".to_owned(),
    };
    facts.add(client.end_ns, "client", end);
    if let Some(front) = ctx.front_exchange(request) {
        let gateway = ctx.front(request).pod.map_or("an unknown gateway pod", |pod| ctx.pod_name(pod));
        facts.add(front.request_start_ns(), "kernel", format!("the request arrived at gateway pod {gateway}"));
    }
}

/// A failure in words.
pub fn in_words(kind: ClientErrorKind) -> &'static str {
    match kind {
        ClientErrorKind::ConnectRefused => "connection refused",
        ClientErrorKind::ConnectTimeout => "no answer to the connection attempt",
        ClientErrorKind::NoSourcePort => "no free source port on the client",
        ClientErrorKind::ConnectOther => "could not connect",
        ClientErrorKind::Reset => "connection reset",
        ClientErrorKind::ClosedEarly => "connection closed before the answer was complete",
        ClientErrorKind::Timeout => "timed out",
        ClientErrorKind::Other => "failed",
    }
}

/// Decides on a request without a complete answer.
pub fn no_answer(ctx: &Context<'_, '_>, request: u32, mut facts: Facts) -> Decision {
    let client = ctx.client.at(request);
    let Some(kind) = client.error.map(|error| error.kind) else {
        facts.missing(ctx, request, "the client's own record says neither what was answered nor what failed");
        return Decision::new(Cause::Unknown, facts);
    };
    if kind == ClientErrorKind::NoSourcePort {
        return Decision::new(Cause::ClientOutOfPorts, facts);
    }
    if let Some(cause) = stalled::with_answer(ctx, request, &mut facts) {
        return answered_by(ctx, request, cause, facts);
    }
    if let Some(decision) = gateway_ending(ctx, request, &mut facts) {
        return Decision { facts, ..decision };
    }
    // The gateway was well. Then what it waited for decides.
    if let Some(decisive) = ctx.join.decisive(request) {
        attempt::tell(ctx, decisive, &mut facts);
        let decision = attempt::decide(ctx, request, decisive, facts);
        // A client that gave up explains an attempt of which nothing else is proven.
        let gave_up = kind == ClientErrorKind::Timeout && decision.cause == Cause::Unknown;
        return if gave_up { Decision { cause: Cause::ClientTimeout, ..decision } } else { decision };
    }
    let connecting = matches!(
        kind,
        ClientErrorKind::ConnectRefused | ClientErrorKind::ConnectOther | ClientErrorKind::ConnectTimeout
    );
    let untranslated = ctx.front(request).translation.is_none();
    if connecting && untranslated {
        if no_endpoint(ctx, &ctx.raw.run.config.gateway_service, client.sent_ns, &mut facts) {
            return Decision::new(Cause::NoReadyEndpoint, facts);
        }
        if kind == ClientErrorKind::ConnectTimeout
            && let Some(decision) = old_entry(ctx, request, &mut facts)
        {
            return Decision { facts, ..decision };
        }
        if let Some(decision) = some_gateway_ending(ctx, request, &mut facts) {
            return Decision { facts, ..decision };
        }
        if kind == ClientErrorKind::ConnectTimeout && never_arrived(ctx, request, &mut facts) {
            return Decision::new(Cause::NetworkLoss, facts);
        }
    }
    match kind {
        ClientErrorKind::Timeout if stalled::unsent(ctx, request, &mut facts) => {
            Decision::new(Cause::ClientStalled, facts)
        }
        ClientErrorKind::Timeout => Decision::new(Cause::ClientTimeout, facts),
        ClientErrorKind::ConnectTimeout if alive(ctx, request) => {
            facts.add(client.end_ns, "kubernetes", "the gateway pod that was dialled was ready all the time");
            with_gateway(ctx, request, Cause::NetworkLoss, facts)
        }
        _ => {
            facts.missing(ctx, request, "why a gateway that was not being deleted did not answer");
            with_gateway(ctx, request, Cause::Unknown, facts)
        }
    }
}

/// The cluster did its part, and the pod is the one that did.
fn answered_by(ctx: &Context<'_, '_>, request: u32, cause: Cause, mut facts: Facts) -> Decision {
    let Some(attempt) = ctx.join.decisive(request) else { return Decision::new(cause, facts) };
    attempt::tell(ctx, attempt, &mut facts);
    let (joined_by, attempt_ns) = (Some(attempt.joined_by), Some(attempt.start_ns));
    Decision { cause, pod: attempt.pod, joined_by, attempt_ns, facts }
}

/// The gateway pod of this very request was on its way out.
fn gateway_ending(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) -> Option<Decision> {
    let client = ctx.client.at(request);
    let front = ctx.front(request);
    let life = ctx.cluster.pod(front.pod?);
    let ending = life.ending_by(client.end_ns).or_else(|| life.container_ended_by(client.end_ns))?;
    // A gateway that is being deleted, but had an answer under way, only counts when it ended before the client gave up.
    if client.error.is_some_and(|error| error.kind == ClientErrorKind::Timeout)
        && ctx.front_exchange(request).is_some()
        && life.gone_ns.is_none_or(|gone_ns| gone_ns > client.end_ns)
    {
        return None;
    }
    let dialled_ns = front.translation.get().map(|at| {
        let translation = ctx.seen.translation(at);
        let to = format!("the client's connection was sent to {} (gateway pod {})", translation.chosen(), life.name);
        facts.add(translation.created_ns(), "conntrack", to);
        translation.created_ns()
    });
    let attempt_ns = dialled_ns.unwrap_or(client.sent_ns);
    facts.add(ending.at_ns, ending.source, ending.what);
    facts.pod_end(life, attempt_ns);
    Some(Decision {
        attempt_ns: Some(attempt_ns),
        ..with_gateway(ctx, request, Cause::GatewayTerminated, Facts::default())
    })
}

/// No trace of this request's own connection, but some gateway pod was on its way out, or just gone.
fn some_gateway_ending(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) -> Option<Decision> {
    let client = ctx.client.at(request);
    let recent = |ns: u64| ns.saturating_add(STALE_ENTRY_NS) >= client.sent_ns;
    let mut ending = ctx.cluster.pods.iter().enumerate().filter(|(_, life)| {
        life.role == Some(Role::Gateway) && life.ending_by(client.end_ns).is_some() && life.gone_ns.is_none_or(recent)
    });
    let (first, life) = ending.next()?;
    facts.pod_end(life, client.sent_ns);
    let only = ending.next().is_none();
    facts.missing(ctx, request, "which gateway pod was dialled; only the time fits");
    Some(Decision {
        pod: only.then_some(first as u32),
        joined_by: Some(JoinedBy::TimeWindow),
        attempt_ns: Some(client.sent_ns),
        ..Decision::new(Cause::GatewayTerminated, Facts::default())
    })
}

/// No entry was made for this connection, so no rule was consulted; but entries of earlier attempts that a gateway pod did not answer
/// before it was gone were still alive, and a source port that is used again follows them. The client's error does not name its
/// port, so which of them it was is not known.
fn old_entry(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) -> Option<Decision> {
    let client = ctx.client.at(request);
    if !ctx.observed() || !every_entry_told(ctx) {
        return None;
    }
    let earlier = (0..request).rev().map(|at| (at, ctx.client.at(at)));
    let (pod, made_ns) = earlier
        .take_while(|(_, other)| other.sent_ns.saturating_add(STALE_ENTRY_NS) >= client.sent_ns)
        .filter(|(_, other)| other.error.is_some_and(|error| error.kind == ClientErrorKind::ConnectTimeout))
        .find_map(|(at, _)| {
            let front = ctx.front(at);
            let gone = |pod: u32| ctx.cluster.pod(pod).gone_ns.is_some_and(|ns| ns <= client.sent_ns);
            let pod = front.pod.filter(|pod| gone(*pod))?;
            Some((pod, ctx.seen.translation(front.translation.get()?).created_ns()))
        })?;
    let name = ctx.pod_name(pod);
    facts.add(made_ns, "conntrack", format!("an attempt at gateway pod {name} that nobody answered left an entry"));
    let what = "no entry was made for this connection, so it followed an older one; no rule was consulted";
    facts.add(client.sent_ns, "conntrack", what);
    facts.pod_end(ctx.cluster.pod(pod), client.sent_ns);
    facts.missing(ctx, request, "which of the old entries it was; only the time fits");
    Some(Decision {
        pod: Some(pod),
        joined_by: Some(JoinedBy::TimeWindow),
        attempt_ns: Some(client.sent_ns),
        ..Decision::new(Cause::StaleNatEntry, Facts::default())
    })
}

/// The node never made an entry for this connection, although it had gateway pods to send it to, and all of them were ready.
fn never_arrived(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) -> bool {
    let client = ctx.client.at(request);
    let mut gateways = ctx.cluster.pods.iter().filter(|life| life.role == Some(Role::Gateway)).peekable();
    let proven = ctx.observed()
        && every_entry_told(ctx)
        && gateways.peek().is_some()
        && gateways
            .all(|life| life.ready_throughout(client.sent_ns, client.end_ns) || life.was_over_by(client.sent_ns));
    if proven {
        let what = "no connection of this request was translated on any node, and the gateway was ready all the time";
        facts.add(client.end_ns, "conntrack", what);
    }
    proven
}

fn alive(ctx: &Context<'_, '_>, request: u32) -> bool {
    let client = ctx.client.at(request);
    ctx.front(request).pod.is_some_and(|pod| ctx.cluster.pod(pod).ready_throughout(client.sent_ns, client.end_ns))
}

fn with_gateway(ctx: &Context<'_, '_>, request: u32, cause: Cause, facts: Facts) -> Decision {
    let front = ctx.front(request);
    Decision { pod: front.pod, joined_by: front.joined_by, ..Decision::new(cause, facts) }
}
