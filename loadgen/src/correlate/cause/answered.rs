//! The client got an answer with an error status.

use observer::record::ExchangeEnd;

use super::{Decision, Facts, attempt};
use crate::correlate::completeness::entries_untold;
use crate::correlate::context::Context;
use crate::correlate::seen::Exch;
use crate::raw::ObserverFile;
use crate::report::schema::{Cause, JoinedBy};

/// Below 500: the request itself was refused.
pub fn client_error(ctx: &Context<'_, '_>, request: u32, status: u16, mut facts: Facts) -> Decision {
    let decisive = ctx.join.decisive(request);
    let by_pod = decisive.is_some_and(|a| ctx.exchange(a).is_some_and(|e| e.status() == Some(status)));
    if !ctx.observed() {
        facts.missing(ctx, request, "who answered, because there are no records of an observer");
    } else if let Some(at_ns) = ctx.front_exchange(request).and_then(Exch::response_start_ns) {
        let who = if by_pod { "the pod answered, the gateway passed it on" } else { "the gateway itself answered" };
        facts.add(at_ns, "kernel", format!("{who}: status {status}"));
    }
    let mut decision = Decision::new(Cause::RequestError, facts);
    if let Some(decisive) = decisive.filter(|_| by_pod) {
        decision.pod = decisive.pod;
        decision.joined_by = Some(decisive.joined_by);
        decision.attempt_ns = Some(decisive.start_ns);
    }
    decision
}

/// 5xx: the last attempt at a pod decides; without one, the gateway itself.
pub fn server_error(ctx: &Context<'_, '_>, request: u32, status: u16, mut facts: Facts) -> Decision {
    let earlier = ctx.join.attempts_of(request).len().saturating_sub(1);
    for failed in ctx.join.attempts_of(request).take(earlier) {
        attempt::tell(ctx, failed, &mut facts);
    }
    if let Some(decisive) = ctx.join.decisive(request) {
        attempt::tell(ctx, decisive, &mut facts);
        return attempt::decide(ctx, request, decisive, facts);
    }
    let Some(front) = ctx.front_exchange(request) else {
        let why = if ctx.observed() { "the request was not seen at the gateway" } else { "no records of an observer" };
        facts.missing(ctx, request, why);
        return Decision::new(Cause::Unknown, facts);
    };
    if front.status() == Some(status) && front.end() == ExchangeEnd::Complete && nothing_lost(ctx) {
        let at_ns = front.response_start_ns().unwrap_or_else(|| front.last_seen_ns());
        facts.add(at_ns, "kernel", format!("the gateway answered {status} without having tried any pod"));
        let mut decision = Decision::new(Cause::GatewayError, facts);
        decision.pod = ctx.front(request).pod;
        decision.joined_by = Some(ctx.front(request).joined_by.unwrap_or(JoinedBy::Trace));
        decision.attempt_ns = Some(front.request_start_ns());
        return decision;
    }
    facts.missing(ctx, request, "an attempt at a pod was not seen, but events were lost, so there may have been one");
    Decision::new(Cause::Unknown, facts)
}

/// "Was not seen" means "was not there" only when no event was lost and every attempt has found its request.
pub fn nothing_lost(ctx: &Context<'_, '_>) -> bool {
    let whole = |file: &ObserverFile| {
        file.records_end.as_ref().is_some_and(|end| end.loss.is_empty())
            && file.run.as_ref().is_some_and(|run| run.records_dropped == 0)
    };
    ctx.join.unjoined == 0 && !ctx.raw.observers.is_empty() && ctx.raw.observers.iter().all(whole)
}

/// "No entry was made" means more: none of these events was missing either.
pub fn every_entry_told(ctx: &Context<'_, '_>) -> bool {
    nothing_lost(ctx) && entries_untold(&ctx.raw.observers) == 0
}
