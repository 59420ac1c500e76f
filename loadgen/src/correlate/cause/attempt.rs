//! One attempt at a pod: tell what was seen of it, and decide what it failed of.

use observer::record::{Close, NatSource, Outcome};

use super::{Decision, Facts, dials, refused, sent, unanswered};
use crate::correlate::cluster::PodLife;
use crate::correlate::context::Context;
use crate::correlate::join::Attempt;
use crate::correlate::seen::Conn;
use crate::report::schema::{Cause, JoinedBy};

/// Decides on a request by its last attempt.
pub fn decide(ctx: &Context<'_, '_>, request: u32, attempt: &Attempt, mut facts: Facts) -> Decision {
    let cause = match ctx.conn(attempt) {
        _ if attempt.exchange.is_some() => sent::cause(ctx, request, attempt, &mut facts),
        Some(conn) => match conn.outcome() {
            Outcome::Refused => refused::cause(ctx, request, attempt, conn, &mut facts),
            Outcome::Unreachable => unanswered::unreachable(ctx, request, attempt, conn, &mut facts),
            Outcome::Unanswered | Outcome::Pending => unanswered::cause(ctx, request, attempt, conn, &mut facts),
            Outcome::NoSourcePort => dials::none_left(ctx, conn, &mut facts),
            Outcome::Established => sent::nothing(ctx, request, attempt, conn, &mut facts),
        },
        None => Cause::Unknown,
    };
    // What an old entry led to is what failed, not who answered a repetition, or has its address by now.
    let stale = ctx.conn(attempt).filter(|_| cause == Cause::StaleNatEntry);
    let pod = match stale.and_then(Conn::expired) {
        Some(expired) => expired.pod,
        None if cause == Cause::GatewayOutOfPorts => ctx.front(request).pod,
        None => stale.and_then(Conn::nat_pod).or(attempt.pod),
    };
    if let Some(pod) = pod {
        facts.pod_end(ctx.cluster.pod(pod), attempt.start_ns);
    }
    if attempt.joined_by == JoinedBy::TimeWindow {
        facts.missing(ctx, request, "that this attempt was made for this request; only the time fits");
    }
    Decision { cause, pod, joined_by: Some(attempt.joined_by), attempt_ns: Some(attempt.start_ns), facts }
}

/// What was seen of an attempt.
pub fn tell(ctx: &Context<'_, '_>, attempt: &Attempt, facts: &mut Facts) {
    let whom = attempt.pod.map_or_else(|| "an unknown pod".to_owned(), |pod| format!("pod {}", ctx.pod_name(pod)));
    if let Some(conn) = ctx.conn(attempt) {
        tell_conn(conn, attempt, &whom, facts);
        if let Some(expired) = conn.expired() {
            let whom =
                expired.pod.map_or_else(|| "an unknown pod".to_owned(), |pod| format!("pod {}", ctx.pod_name(pod)));
            let what = format!(
                "an older entry of source port {} sent the first SYN to {} ({whom}), and had ended when it was repeated",
                conn.local().port(),
                expired.chosen
            );
            facts.add(expired.created_ns, "conntrack", what);
        }
    }
    if let Some(exchange) = ctx.exchange(attempt) {
        let reused = if exchange.reused() { " on a connection it had used before" } else { "" };
        facts.add(exchange.request_start_ns(), "kernel", format!("the gateway wrote the request to {whom}{reused}"));
        if let (Some(at_ns), Some(status)) = (exchange.response_start_ns(), exchange.status()) {
            facts.add(at_ns, "kernel", format!("the gateway received the answer's head: status {status}"));
        }
    }
    if let Some(at_pod) = ctx.pod_exchange(attempt) {
        facts.add(at_pod.request_start_ns(), "kernel", format!("the request arrived at {whom}"));
        if let Some(at_ns) = at_pod.request_read_ns() {
            facts.add(at_ns, "kernel", format!("{whom} read the request"));
        }
        if let (Some(at_ns), Some(status)) = (at_pod.response_start_ns(), at_pod.status()) {
            facts.add(at_ns, "kernel", format!("{whom} began to answer: status {status}"));
        }
    }
}

fn tell_conn(conn: Conn<'_>, attempt: &Attempt, whom: &str, facts: &mut Facts) {
    if let (Some(nat), Some(at_ns)) = (conn.nat(), conn.nat_created_ns()) {
        let what = match nat.source {
            NatSource::New => {
                format!("the Service's rule chose {} ({whom}) for the connection to {}", nat.chosen, nat.dialled)
            }
            NatSource::Reused => format!(
                "an older entry of source port {} sends it to {} ({whom}); no rule was consulted",
                conn.local().port(),
                nat.chosen
            ),
            NatSource::Dump => format!("an entry that was not seen to be made sends it to {} ({whom})", nat.chosen),
            NatSource::Direct if conn.nat_pod().is_none() => {
                format!("the connection to {} was not translated: the node had no rule for it", nat.dialled)
            }
            NatSource::Direct => format!("the gateway dialled {} ({whom}) itself", nat.chosen),
        };
        facts.add(at_ns, "conntrack", what);
    }
    if conn.outcome() == Outcome::NoSourcePort {
        let what =
            format!("the gateway had no free source port for a connection to {}: nothing was sent", conn.remote());
        return facts.add(conn.opened_ns(), "kernel", what);
    }
    let first_of_conn = attempt.exchange.is_none() || attempt.start_ns == conn.opened_ns();
    if first_of_conn {
        let again = match conn.syn_retransmits() {
            0 => String::new(),
            n => format!(", and repeated the SYN {n} times"),
        };
        facts.add(conn.opened_ns(), "kernel", format!("the gateway dialled {}{again}", conn.remote()));
    }
    match (conn.outcome(), conn.ended_ns()) {
        (Outcome::Refused, Some(at_ns)) => {
            facts.add(at_ns, "kernel", format!("{whom} refused the connection with a reset"));
        }
        (Outcome::Unanswered, Some(at_ns)) => facts.add(at_ns, "kernel", "the gateway gave up: nobody had answered"),
        (Outcome::Unreachable, Some(at_ns)) => {
            facts.add(at_ns, "kernel", "the connection was rejected on the way, not by a pod");
        }
        (Outcome::Pending, Some(at_ns)) => {
            facts.add(
                at_ns,
                "kernel",
                "the gateway closed its socket, which had never been connected; how the attempt had ended was not told",
            );
        }
        (Outcome::Established, Some(at_ns)) => {
            let how = match conn.close() {
                Some(Close::FinRemote) => "the pod's side closed the connection",
                Some(Close::ResetRemote) => "the pod's side reset the connection",
                Some(Close::FinLocal) => "the gateway closed the connection",
                Some(Close::ResetLocal) => "the gateway reset the connection",
                Some(Close::TimedOut) => "retransmissions on the connection ran out",
                None => return,
            };
            facts.add(at_ns, "kernel", how);
        }
        _ => {}
    }
}

/// No rule chose a pod for it: there is no entry, or one that leads to the Service's own address.
pub fn untranslated(conn: Conn<'_>) -> bool {
    match conn.nat_source() {
        None => true,
        Some(source) => source == NatSource::Direct && conn.nat_pod().is_none(),
    }
}

/// The conntrack entry is older than the connection: no rule was consulted for it. An entry that is only known from a dump
/// proves nothing: a younger one may have taken its place unseen.
pub fn entry_is_old(conn: Conn<'_>) -> bool {
    conn.nat_source() == Some(NatSource::Reused)
}

/// The first SYN went along an older entry to a pod on its way out, and that entry had ended when the SYN was repeated.
pub fn first_met_a_dead_pod(ctx: &Context<'_, '_>, conn: Conn<'_>) -> bool {
    let led_to = conn.expired().and_then(|expired| expired.pod);
    led_to.is_some_and(|pod| ctx.cluster.pod(pod).ending_by(conn.opened_ns()).is_some())
}

/// The pod was on its way out when something ended at `by_ns`.
pub fn ending(life: &PodLife<'_>, by_ns: u64, facts: &mut Facts) -> bool {
    if life.ending_by(by_ns).is_some() {
        return true;
    }
    if let Some(end) = life.container_ended_by(by_ns) {
        facts.add(end.at_ns, end.source, end.what);
        return true;
    }
    false
}
