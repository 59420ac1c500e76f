//! The attempt was answered with a reset.

use super::attempt::{ending, entry_is_old, untranslated};
use super::{Facts, unanswered};
use crate::correlate::context::Context;
use crate::correlate::join::Attempt;
use crate::correlate::seen::Conn;
use crate::report::schema::Cause;

/// Refused: by the host of a pod whose listener is closed, or by the node because there is no endpoint.
pub fn cause(ctx: &Context<'_, '_>, request: u32, attempt: &Attempt, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    if untranslated(conn) {
        return unanswered::rejected(ctx, request, conn, facts);
    }
    let Some(life) = attempt.pod.map(|pod| ctx.cluster.pod(pod)) else {
        facts.missing(ctx, request, "which pod had the address that was dialled");
        return Cause::Unknown;
    };
    let refused_ns = conn.ended_ns().unwrap_or_else(|| conn.opened_ns());
    if !ending(life, refused_ns, facts) {
        facts.missing(ctx, request, "why a pod that was not being deleted refused a connection");
        return Cause::Unknown;
    }
    if entry_is_old(conn) { Cause::StaleNatEntry } else { Cause::RefusedByTerminatedPod }
}
