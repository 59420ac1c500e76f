//! The slowest successes, explained like failures.

use std::cmp::Reverse;

use super::context::Context;
use super::hops::{Stretch, stretches};
use super::ledger::start_ns;
use super::seen::Conn;
use crate::report::schema::{SlowCause, SlowRequest};

/// A SYN is repeated after one second; nothing faster is one.
const SYN_TIMEOUT_NS: u64 = 900_000_000;

/// So many of the slowest successes, the slowest first.
pub fn slowest(ctx: &Context<'_, '_>, count: usize) -> Vec<SlowRequest> {
    let mut by_latency: Vec<(Reverse<u64>, u32)> = ctx
        .client
        .iter()
        .enumerate()
        .filter(|(_, client)| client.succeeded())
        .map(|(position, client)| (Reverse(client.end_ns.saturating_sub(start_ns(client))), position as u32))
        .collect();
    if by_latency.len() > count {
        by_latency.select_nth_unstable(count);
        by_latency.truncate(count);
    }
    by_latency.sort_unstable();
    by_latency.into_iter().map(|(Reverse(latency_ns), request)| explain(ctx, request, latency_ns)).collect()
}

fn explain(ctx: &Context<'_, '_>, request: u32, latency_ns: u64) -> SlowRequest {
    let client = ctx.client.at(request);
    let way = stretches(ctx, request);
    // Of equally long stretches the earlier one.
    let longest = way.as_ref().and_then(|way| {
        way.iter().map(|part| (part.stretch, part.ns)).max_by_key(|(stretch, ns)| (*ns, Reverse(*stretch)))
    });
    let attempt = ctx.join.decisive(request);
    let pod = attempt.and_then(|attempt| attempt.pod).map(|pod| ctx.pod_name(pod));
    let (cause, why) = match longest {
        None => (SlowCause::Unknown, "its way was not measured".to_owned()),
        Some((stretch, ns)) if ns * 2 < latency_ns => {
            (SlowCause::Unknown, format!("no single part stands out; the longest is {}", stretch.name()))
        }
        Some((stretch, ns)) => cause_of(ctx, request, stretch, ns),
    };
    let share = longest.map_or(String::new(), |(stretch, ns)| {
        format!("{:.1} ms of {:.1} ms in {}: ", ns as f64 / 1e6, latency_ns as f64 / 1e6, stretch.name())
    });
    SlowRequest {
        trace_id: client.trace_id(),
        seq: client.seq,
        latency_us: (latency_ns + 500) / 1_000,
        slowest_hop: longest.map(|(stretch, _)| stretch.name().to_owned()),
        slowest_hop_us: longest.map(|(_, ns)| (ns + 500) / 1_000),
        cause,
        pod: pod.map(ToOwned::to_owned),
        explanation: format!("{share}{why}"),
    }
}

fn cause_of(ctx: &Context<'_, '_>, request: u32, stretch: Stretch, ns: u64) -> (SlowCause, String) {
    let attempt = ctx.join.decisive(request);
    let conn = attempt.and_then(|attempt| ctx.conn(attempt));
    let pod = attempt.and_then(|attempt| attempt.pod);
    let name = pod.map_or("an unknown pod", |pod| ctx.pod_name(pod));
    match stretch {
        Stretch::WaitingToSend => (SlowCause::LateSender, "no worker of the load generator was free".to_owned()),
        Stretch::EarlierAttempts => {
            let attempts = ctx.join.attempts_of(request).len();
            (SlowCause::Retried, format!("{attempts} attempts were made, only the last one succeeded"))
        }
        Stretch::ConnectToPod => match conn.map_or(0, Conn::syn_retransmits) {
            0 => (SlowCause::Unknown, format!("the connection to {name} took long, without a repeated SYN")),
            n => {
                let stale = conn.and_then(Conn::expired).map_or(String::new(), |expired| {
                    format!("; the first went to {} along an older conntrack entry", expired.chosen)
                });
                (SlowCause::SynRetransmit, format!("the SYN to {name} had to be sent {} times{stale}", n + 1))
            }
        },
        Stretch::ConnectToGateway if syn_repeated(ctx, request, ns) => {
            (SlowCause::SynRetransmit, "the client's SYN to the gateway had to be sent again".to_owned())
        }
        Stretch::QueuedAtGateway => (SlowCause::QueuedAtGateway, "the gateway did not read it sooner".to_owned()),
        Stretch::QueuedAtPod | Stretch::Pod => {
            let throttled = throttled(ctx, request);
            let coarse_us = throttled.and_then(|throttled| throttled.within_us(ns / 1_000)).unwrap_or(0);
            let (least_us, most_us) = stopped_us(ctx, request, stretch);
            let (least_us, most_us) = (least_us.max(coarse_us), most_us.max(coarse_us));
            // Less than half of it explains something, but not why it was slow.
            if u64::midpoint(least_us, most_us) * 2_000 >= ns {
                let ms = |us: u64| format!("{:.0}", us as f64 / 1e3);
                let (least, most) = (ms(least_us), ms(most_us));
                let long = if least == most { format!("{least} ms") } else { format!("{least} to {most} ms") };
                return (SlowCause::CpuThrottled, format!("{name}'s CPU limit stopped it for {long} of that time"));
            }
            let beside = throttled.filter(|throttled| throttled.us > 0).map_or(String::new(), |throttled| {
                let (us, s) = (throttled.us, throttled.window_us as f64 / 1e6);
                format!("; its CPU limit stopped it for {us} µs of the {s:.1} s around, which may be the reason")
            });
            match stretch {
                Stretch::QueuedAtPod => (SlowCause::QueuedAtPod, format!("{name} did not read it sooner{beside}")),
                _ => (SlowCause::SlowPod, format!("{name} took that long to answer{beside}")),
            }
        }
        other => (SlowCause::Unknown, format!("nothing that was measured explains the time in {}", other.name())),
    }
}

/// The node knew of the client's connection at once, but the gateway only a SYN timeout later.
fn syn_repeated(ctx: &Context<'_, '_>, request: u32, ns: u64) -> bool {
    let front = ctx.front(request);
    let created_ns = front.translation.get().map(|at| ctx.seen.translation(at).created_ns());
    let opened_ns = front.conn.get().map(|at| ctx.seen.conn(at).opened_ns());
    ns >= SYN_TIMEOUT_NS
        && created_ns.zip(opened_ns).is_some_and(|(created, opened)| opened.saturating_sub(created) >= SYN_TIMEOUT_NS)
}

/// For how long the serving pod's limit stopped it in that part of the way, at least and at most, by what the agent of its node read.
fn stopped_us(ctx: &Context<'_, '_>, request: u32, stretch: Stretch) -> (u64, u64) {
    let Some(attempt) = ctx.join.decisive(request) else { return (0, 0) };
    let (Some(pod), Some(exchange)) = (attempt.pod, ctx.pod_exchange(attempt)) else { return (0, 0) };
    let read_ns = exchange.request_read_ns().unwrap_or(exchange.request_start_ns());
    let (from_ns, to_ns) = match stretch {
        Stretch::QueuedAtPod => (exchange.request_start_ns(), read_ns),
        _ => (read_ns, exchange.last_seen_ns()),
    };
    let part_us = to_ns.saturating_sub(from_ns) / 1_000;
    let stops = ctx.cluster.pod(pod).stops.iter().map(|stops| stops.within_us(from_ns, to_ns));
    let (least_us, most_us) = stops.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (least_us.min(part_us), most_us.min(part_us))
}

/// How long a pod was throttled between the two readings around a request.
#[derive(Clone, Copy)]
struct Throttled {
    us: u64,
    window_us: u64,
}

impl Throttled {
    /// What of it must have fallen into a part of the window: whatever the rest of the window cannot hold.
    /// `None`: nothing is proven.
    fn within_us(self, part_us: u64) -> Option<u64> {
        let rest_us = self.window_us.saturating_sub(part_us);
        self.us.checked_sub(rest_us).filter(|us| *us > 0).map(|us| us.min(part_us))
    }
}

fn throttled(ctx: &Context<'_, '_>, request: u32) -> Option<Throttled> {
    let attempt = ctx.join.decisive(request)?;
    let life = ctx.cluster.pod(attempt.pod?);
    let end_ns = ctx.client.at(request).end_ns;
    let (before_ns, before_us) = life.throttled_us.iter().rev().find(|(ns, _)| *ns <= attempt.start_ns)?;
    let (after_ns, after_us) = life.throttled_us.iter().find(|(ns, _)| *ns >= end_ns)?;
    Some(Throttled { us: after_us.checked_sub(*before_us)?, window_us: (after_ns - before_ns) / 1_000 })
}

#[cfg(test)]
mod tests {
    use super::Throttled;

    #[test]
    fn throttling_is_only_claimed_where_the_rest_of_the_window_cannot_hold_it() {
        let throttled = Throttled { us: 900, window_us: 1_000 };
        assert_eq!(throttled.within_us(300), Some(200));
        assert_eq!(throttled.within_us(1_000), Some(900));
        assert_eq!(throttled.within_us(100), None);
        assert_eq!(Throttled { us: 0, window_us: 10 }.within_us(10), None);
    }
}
