//! Nobody answered the attempt, or it was rejected on the way.

use observer::record::NatSource;

use super::Facts;
use super::attempt::{entry_is_old, first_met_a_dead_pod, untranslated};
use crate::correlate::context::Context;
use crate::correlate::join::Attempt;
use crate::correlate::limits::{RULE_LAG_NS, SYN_TIMEOUT_NS, WATCH_LAG_NS};
use crate::correlate::seen::Conn;
use crate::report::schema::Cause;

/// No answer at all: the address is dead, or packets were lost on the way to a pod that is alive.
pub fn cause(ctx: &Context<'_, '_>, request: u32, attempt: &Attempt, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    let Some(life) = attempt.pod.map(|pod| ctx.cluster.pod(pod)) else {
        // A node rejects what it has no endpoint for with ICMP, and sends few of these a second (`net.ipv4.icmp_ratelimit`): most
        // such attempts are not answered at all.
        if untranslated(conn) && no_endpoint(ctx, &ctx.raw.run.config.upstream_service, conn.opened_ns(), facts) {
            return Cause::NoReadyEndpoint;
        }
        // An entry that an earlier connection of the same source port made while the node had no rule: it leads to the Service's own address,
        // where nobody is, as long as it lives.
        let made_ns = conn.nat_created_ns().filter(|made_ns| untranslated(conn) && *made_ns < conn.opened_ns());
        if let Some(made_ns) = made_ns {
            let port = conn.local().port();
            let what = format!(
                "an older entry of source port {port} leads to the Service's own address; no rule was consulted"
            );
            facts.add(made_ns, "conntrack", what);
            return Cause::StaleNatEntry;
        }
        if let Some(nat) = conn.nat().filter(|_| entry_is_old(conn))
            && let Some(since_ns) = ctx.cluster.nobody_has(nat.chosen.ip())
        {
            facts.add(since_ns, "kubernetes", format!("no pod has had the address {} since", nat.chosen.ip()));
            return Cause::StaleNatEntry;
        }
        facts.missing(ctx, request, "which address was dialled behind the Service, or which pod had it");
        return Cause::Unknown;
    };
    let gave_up_ns = conn.ended_ns().unwrap_or_else(|| ctx.client.at(request).end_ns);
    if life.ending_by(gave_up_ns).is_some() {
        return dead_address(ctx, request, conn, facts);
    }
    // The repeated SYN left, or its entry was made, just as the gateway gave up.
    if first_met_a_dead_pod(ctx, conn) {
        return Cause::StaleNatEntry;
    }
    // An old entry leads to a pod that is there, and would have been answered by a reset at least. Where the Service had no endpoint, the SYN
    // ended that entry and met the rule that rejects.
    // The same when the entry was made a SYN timeout later: it is the repeated SYN's, and the first met no rule that knew a pod.
    let repeated_only = conn.nat_created_ns().is_some_and(|ns| ns >= conn.opened_ns().saturating_add(SYN_TIMEOUT_NS));
    if (entry_is_old(conn) || repeated_only)
        && no_endpoint(ctx, &ctx.raw.run.config.upstream_service, conn.opened_ns(), facts)
    {
        return Cause::NoReadyEndpoint;
    }
    // A deletion that the watch tells of a little later may have been at work already.
    let long = conn.syn_retransmits() > 0 || gave_up_ns.saturating_sub(conn.opened_ns()) >= SYN_TIMEOUT_NS;
    if life.ready_throughout(conn.opened_ns(), gave_up_ns.saturating_add(WATCH_LAG_NS)) && long && !conn.ended_untold()
    {
        facts.add(
            gave_up_ns,
            "kubernetes",
            format!("pod {} was ready from before this attempt until after it, so its packets were lost", life.name),
        );
        return Cause::NetworkLoss;
    }
    facts.missing(ctx, request, "that the pod was gone, or that it was ready all the time");
    Cause::Unknown
}

/// Rejected on the way: no endpoint, or a dead address that the node already knows to be dead.
pub fn unreachable(ctx: &Context<'_, '_>, request: u32, attempt: &Attempt, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    if untranslated(conn) {
        return rejected(ctx, request, conn, facts);
    }
    let rejected_ns = conn.ended_ns().unwrap_or_else(|| conn.opened_ns());
    let ending = attempt.pod.is_some_and(|pod| ctx.cluster.pod(pod).ending_by(rejected_ns).is_some());
    if ending {
        return dead_address(ctx, request, conn, facts);
    }
    facts.missing(ctx, request, "that the pod whose address could not be reached was gone");
    Cause::Unknown
}

/// Nothing was chosen for it: the Service had no endpoint, if its endpoints say so as well.
pub fn rejected(ctx: &Context<'_, '_>, request: u32, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    let service = &ctx.raw.run.config.upstream_service;
    let opened_ns = conn.opened_ns();
    if no_endpoint(ctx, service, opened_ns, facts) {
        return Cause::NoReadyEndpoint;
    }
    facts.missing(ctx, request, "where the connection was sent to: conntrack has no entry of it");
    Cause::Unknown
}

/// The Service had no endpoint at that time, or so shortly before that the node's rules can still say so, or so shortly after that
/// the node knew before the watch told us.
pub fn no_endpoint(ctx: &Context<'_, '_>, service: &str, at_ns: u64, facts: &mut Facts) -> bool {
    let history = ctx.cluster.endpoints_of(service);
    let (from_ns, until_ns) = (at_ns.saturating_sub(RULE_LAG_NS), at_ns.saturating_add(WATCH_LAG_NS));
    let Some(empty) = history.and_then(|history| history.empty_within(from_ns, until_ns)) else {
        return false;
    };
    facts.add(empty.at_ns, "kubernetes", format!("Service {service} had no ready endpoint"));
    true
}

/// Why the packets went to a dead address: the rule still said so, or an old entry did.
fn dead_address(ctx: &Context<'_, '_>, request: u32, conn: Conn<'_>, facts: &mut Facts) -> Cause {
    if entry_is_old(conn) {
        return Cause::StaleNatEntry;
    }
    let source = conn.nat_source();
    if conn.ended_untold() {
        facts.missing(ctx, request, "whether the pod refused the connection or nobody answered");
        return Cause::Unknown;
    }
    if matches!(source, Some(NatSource::New | NatSource::Direct)) {
        return Cause::UnansweredPodIp;
    }
    facts.missing(ctx, request, "whether a rule or an old conntrack entry chose the dead address");
    Cause::Unknown
}
