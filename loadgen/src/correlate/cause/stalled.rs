//! The client gave up because it did not run itself: with the gateway's good answer in its socket, or before it had sent anything.
//!
//! A client whose process did not run finds both when it runs again, the answer and the end of its own patience, and its HTTP library looks at
//! the clock first. Nothing in the cluster is to blame then.

use observer::record::ExchangeEnd;

use super::Facts;
use crate::correlate::context::Context;
use crate::correlate::lags;
use crate::raw::ClientErrorKind;
use crate::report::schema::Cause;

/// `None`: there was no good and complete answer, or nothing tells why the client did not take it.
pub fn with_answer(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) -> Option<Cause> {
    let client = ctx.client.at(request);
    client.error.filter(|error| error.kind == ClientErrorKind::Timeout)?;
    let front = ctx.front_exchange(request).filter(|front| front.end() == ExchangeEnd::Complete)?;
    front.status().filter(|status| *status < 400)?;
    let written_ns = front.response_end_ns()?;
    let ms = |ns: u64| ns as f64 / 1e6;
    let patience_ns = ctx.raw.run.config.timeout_ms.saturating_mul(1_000_000);
    let given_up_ns = client.sent_ns.saturating_add(patience_ns);
    let after = format!(
        "the gateway had written its answer {:.1} ms after the request was sent",
        ms(written_ns.saturating_sub(client.sent_ns))
    );
    // Between the clocks of two machines a moment nearer than their error is on neither side.
    let error_ns = ctx.clock_error_ns.unwrap_or(0);
    if written_ns > given_up_ns.saturating_add(error_ns) {
        facts.add(written_ns, "kernel", format!("{after}; the client waits {:.0} ms", ms(patience_ns)));
        return Some(Cause::ClientTimeout);
    }
    if written_ns.saturating_add(error_ns) > given_up_ns {
        return None;
    }
    let unread_ns = client.end_ns.saturating_sub(written_ns);
    let late_ns = lags::late_ns(ctx, request, written_ns, client.end_ns);
    if late_ns == 0 || late_ns * 2 < unread_ns {
        return None;
    }
    facts.add(written_ns, "kernel", format!("{after}, and the client waits {:.0} ms: it was in time", ms(patience_ns)));
    facts.add(
        client.end_ns,
        "client",
        format!(
            "{} did not run for {:.0} of the {:.0} ms from then on",
            lags::sender_in_words(ctx, request),
            ms(late_ns),
            ms(unread_ns)
        ),
    );
    Some(Cause::ClientStalled)
}

/// It never arrived at a gateway, and of the whole wait the load generator ran for less than a tenth.
pub fn unsent(ctx: &Context<'_, '_>, request: u32, facts: &mut Facts) -> bool {
    let client = ctx.client.at(request);
    let waited_ns = client.end_ns.saturating_sub(client.sent_ns);
    let unseen = ctx.observed() && ctx.records_whole() && ctx.front_exchange(request).is_none();
    let late_ns = lags::late_ns(ctx, request, client.sent_ns, client.end_ns);
    let stalled = unseen && late_ns > 0 && late_ns * 10 >= waited_ns * 9;
    if stalled {
        let (late_ms, waited_ms) = (late_ns as f64 / 1e6, waited_ns as f64 / 1e6);
        facts.add(client.end_ns, "kernel", "no gateway pod had received the request by then");
        let sender = lags::sender_in_words(ctx, request);
        let what = format!("{sender} did not run for {late_ms:.0} of the {waited_ms:.0} ms that it waited");
        facts.add(client.end_ns, "client", what);
    }
    stalled
}
