//! Where the time of a success goes: stretches that together are the client's latency.

use super::context::Context;
use super::distribution::Distribution;
use super::ledger::start_ns;
use super::limits::CLOCK_SLACK_NS;
use super::seen::{Conn, Exch};
use crate::report::schema::HopReport;

/// A stretch of the way, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stretch {
    WaitingToSend,
    ConnectToGateway,
    ClientToGateway,
    QueuedAtGateway,
    Gateway,
    EarlierAttempts,
    ConnectToPod,
    GatewayWrite,
    GatewayToPod,
    QueuedAtPod,
    Pod,
    PodToGateway,
    GatewayReturn,
    GatewayToClient,
}

impl Stretch {
    const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::WaitingToSend, "waiting_to_send", "due → sent, when no worker was free"),
        (Self::ConnectToGateway, "connect_to_gateway", "sent → client's connection established at the gateway"),
        (
            Self::ClientToGateway,
            "client_to_gateway",
            "connection (or, on a kept one, sent) → request at the gateway's socket",
        ),
        (Self::QueuedAtGateway, "queued_at_gateway", "at the gateway's socket → read by the gateway"),
        (Self::Gateway, "gateway", "read by the gateway → pod dialled (or, on a kept connection, request written)"),
        (Self::EarlierAttempts, "earlier_attempts", "first pod dialled → the last one dialled"),
        (Self::ConnectToPod, "connect_to_pod", "pod dialled → connection established"),
        (Self::GatewayWrite, "gateway_write", "connection established → request written to the pod"),
        (Self::GatewayToPod, "gateway_to_pod", "request written → at the pod's socket"),
        (Self::QueuedAtPod, "queued_at_pod", "at the pod's socket → read by the pod"),
        (Self::Pod, "pod", "read by the pod → last byte of its answer"),
        (Self::PodToGateway, "pod_to_gateway", "last byte of the pod's answer → at the gateway's socket"),
        (Self::GatewayReturn, "gateway_return", "answer at the gateway → last byte written to the client"),
        (Self::GatewayToClient, "gateway_to_client", "written to the client → read by the client"),
    ];

    /// Name in the report.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// All names, in order of the way.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(_, name, _)| name)
    }
}

/// A stretch of one request's way.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Which one.
    pub stretch: Stretch,
    /// How long.
    pub ns: u64,
    /// How far wrong that can be because two clocks were read. 0: one clock.
    pub clock_error_ns: u64,
}

/// One request's way. `None`: it was not seen at the gateway, or its moments are out of order.
pub fn stretches(ctx: &Context<'_, '_>, request: u32) -> Option<Vec<Part>> {
    let client = ctx.client.at(request);
    let front = ctx.front_exchange(request)?;
    let attempt = ctx.join.decisive(request);
    let exchange = attempt.and_then(|attempt| ctx.exchange(attempt));
    let at_pod = attempt.and_then(|attempt| ctx.pod_exchange(attempt));
    let fresh = attempt.and_then(|attempt| ctx.conn(attempt)).filter(|_| exchange.is_some_and(|e| !e.reused()));
    let first = ctx.join.attempts_of(request).next().filter(|_| ctx.join.attempts_of(request).len() > 1);
    let front_conn = ctx.front(request).conn.get().map(|at| ctx.seen.conn(at));
    let new_front = front_conn.map(Conn::opened_ns).filter(|ns| *ns > client.sent_ns && front.index() == 0);
    // A listener whose queue is full drops the request with the handshake's end: it was at the gateway before it had a socket there.
    let new_front = new_front.map(|ns| ns.min(front.request_start_ns()));
    // Each moment ends the stretch that it names. A moment that was not measured adds its stretch to the next one.
    let (gateway, pod) = (Some(front.node), at_pod.map(|exchange| exchange.node));
    let moments = [
        (Stretch::WaitingToSend, None, Some(client.sent_ns)),
        (Stretch::ConnectToGateway, gateway, new_front),
        (Stretch::ClientToGateway, gateway, Some(front.request_start_ns())),
        (Stretch::QueuedAtGateway, gateway, front.request_read_ns()),
        (Stretch::Gateway, gateway, first.or(attempt).map(|attempt| attempt.start_ns)),
        (Stretch::EarlierAttempts, gateway, first.and(attempt).map(|attempt| attempt.start_ns)),
        (Stretch::ConnectToPod, gateway, fresh.and_then(Conn::established_ns)),
        (Stretch::GatewayWrite, gateway, fresh.and(exchange).map(Exch::request_start_ns)),
        (Stretch::GatewayToPod, pod, at_pod.map(Exch::request_start_ns)),
        (Stretch::QueuedAtPod, pod, at_pod.and_then(Exch::request_read_ns)),
        (Stretch::Pod, pod, at_pod.and_then(Exch::response_end_ns)),
        (Stretch::PodToGateway, gateway, exchange.and_then(Exch::response_end_ns)),
        (Stretch::GatewayReturn, gateway, front.response_end_ns()),
        (Stretch::GatewayToClient, None, Some(client.end_ns)),
    ];
    let slack_ns = CLOCK_SLACK_NS + ctx.clock_error_ns.unwrap_or(0);
    let (mut last_ns, mut last_clock) = (start_ns(client), None);
    let mut way = Vec::with_capacity(moments.len());
    for (stretch, clock, at_ns) in moments {
        let Some(at_ns) = at_ns else { continue };
        // The client's end is exact; nothing on the way may lie behind it.
        let at_ns = if at_ns > client.end_ns && at_ns - client.end_ns <= slack_ns { client.end_ns } else { at_ns };
        if at_ns + slack_ns < last_ns || at_ns > client.end_ns {
            return None;
        }
        let clock_error_ns = ctx.clock_error_between_ns(last_clock, clock);
        way.push(Part { stretch, ns: at_ns.saturating_sub(last_ns), clock_error_ns });
        (last_ns, last_clock) = (last_ns.max(at_ns), clock);
    }
    Some(way)
}

/// Distributions of all stretches over the successes, and the successes whose way could not be measured.
pub fn hops(ctx: &Context<'_, '_>) -> (Vec<HopReport>, u64) {
    let mut distributions = [const { Distribution::new() }; Stretch::ALL.len()];
    let mut clock_errors_ns = [0; Stretch::ALL.len()];
    let mut unmeasured = 0;
    for (position, _) in ctx.client.iter().enumerate().filter(|(_, client)| client.succeeded()) {
        match stretches(ctx, position as u32) {
            Some(way) => way.into_iter().for_each(|part| {
                distributions[part.stretch as usize].add_ns(part.ns);
                let largest = &mut clock_errors_ns[part.stretch as usize];
                *largest = part.clock_error_ns.max(*largest);
            }),
            None => unmeasured += 1,
        }
    }
    let optional = |stretch| matches!(stretch, Stretch::EarlierAttempts | Stretch::ConnectToGateway);
    let reports = Stretch::ALL
        .into_iter()
        .map(|(stretch, name, from_to)| {
            (
                stretch,
                HopReport {
                    name: name.to_owned(),
                    from_to: from_to.to_owned(),
                    latency: distributions[stretch as usize].latency(),
                    clock_error_bound_ns: Some(clock_errors_ns[stretch as usize]).filter(|ns| *ns > 0),
                },
            )
        })
        .filter(|(stretch, report)| report.latency.is_some() || !optional(*stretch))
        .map(|(_, report)| report)
        .collect();
    (reports, unmeasured)
}
