//! The slowest successes, explained like failures.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::beside::{self, Stay};
use super::cluster::PodAt;
use super::context::Context;
use super::hops::{Part, Stretch, stretches};
use super::lags;
use super::ledger::start_ns;
use super::limits::SYN_TIMEOUT_NS;
use super::seen::Conn;
use super::stopped::Stopped;
use crate::report::schema::{SlowCause, SlowRequest};

/// So many of the slowest successes, the slowest first.
pub fn slowest(ctx: &Context<'_, '_>, count: usize) -> Vec<SlowRequest> {
    // The one to give way is on top.
    let mut slowest: BinaryHeap<(Reverse<u64>, u32)> = BinaryHeap::new();
    for (position, client) in (0..).zip(ctx.client.iter()).filter(|(_, client)| client.succeeded()) {
        let one = (Reverse(client.end_ns.saturating_sub(start_ns(client))), position);
        if slowest.len() < count {
            slowest.push(one);
        } else if let Some(mut least) = slowest.peek_mut().filter(|least| one < **least) {
            *least = one;
        }
    }
    let slowest = slowest.into_sorted_vec().into_iter();
    let (mut explained, stays): (Vec<_>, Vec<_>) =
        slowest.map(|(Reverse(latency_ns), request)| explain(ctx, request, latency_ns)).unzip();
    let known: Vec<Stay> = stays.iter().flatten().copied().collect();
    let with_stay = explained.iter_mut().zip(&stays).filter(|(_, stay)| stay.is_some());
    for ((slow, _), others) in with_stay.zip(beside::others(ctx.seen, &known)) {
        slow.explanation.push_str("; ");
        slow.explanation.push_str(&beside::in_words(others));
    }
    explained
}

/// And where it was all that time, if that was a pod which is itself the reason.
fn explain(ctx: &Context<'_, '_>, request: u32, latency_ns: u64) -> (SlowRequest, Option<Stay>) {
    let client = ctx.client.at(request);
    let parts = stretches(ctx, request).map_or(Vec::new(), |way| placed(start_ns(client), &way));
    // Of equally long ones the earlier.
    let longest = parts.iter().copied().max_by_key(|part| (part.ns(), Reverse(part.stretch)));
    let attempt = ctx.join.decisive(request);
    let pod = attempt.and_then(|attempt| attempt.pod).map(|pod| ctx.pod_name(pod));
    let stands_out = longest.filter(|part| part.ns() * 2 >= latency_ns);
    let (cause, explanation) = match (stands_out, longest) {
        (Some(part), _) => {
            let (cause, why) = cause_of(ctx, request, part);
            (cause, part.in_words(latency_ns, &why))
        }
        (None, Some(part)) => together(ctx, request, &parts, latency_ns).unwrap_or_else(|| {
            let why = format!("no single part stands out; the longest is {}", part.stretch.name());
            (SlowCause::Unknown, part.in_words(latency_ns, &why))
        }),
        (None, None) => (SlowCause::Unknown, "its way was not measured".to_owned()),
    };
    let by_itself = matches!(cause, SlowCause::SlowPod | SlowCause::QueuedAtPod);
    let stay = stands_out.zip(attempt.and_then(|attempt| attempt.pod)).filter(|_| by_itself);
    let stay = stay.map(|(part, pod)| Stay { pod, from_ns: part.from_ns, to_ns: part.to_ns });
    let slow = SlowRequest {
        trace_id: client.trace_id(),
        seq: client.seq,
        latency_us: (latency_ns + 500) / 1_000,
        slowest_hop: longest.map(|part| part.stretch.name().to_owned()),
        slowest_hop_us: longest.map(|part| (part.ns() + 500) / 1_000),
        cause,
        pod: pod.map(ToOwned::to_owned),
        explanation,
    };
    (slow, stay)
}

/// A part of a request's way, and when it was.
#[derive(Clone, Copy)]
struct Placed {
    stretch: Stretch,
    from_ns: u64,
    to_ns: u64,
}

impl Placed {
    fn ns(self) -> u64 {
        self.to_ns - self.from_ns
    }

    fn in_words(self, latency_ns: u64, why: &str) -> String {
        let ms = |ns: u64| ns as f64 / 1e6;
        format!("{:.1} ms of {:.1} ms in {}: {why}", ms(self.ns()), ms(latency_ns), self.stretch.name())
    }
}

fn placed(start_ns: u64, way: &[Part]) -> Vec<Placed> {
    let mut to_ns = start_ns;
    let parts = way.iter().map(|part| {
        let from_ns = to_ns;
        to_ns += part.ns;
        Placed { stretch: part.stretch, from_ns, to_ns }
    });
    parts.collect()
}

/// No part is half of the latency, but several have one cause, and together they are.
fn together(ctx: &Context<'_, '_>, request: u32, parts: &[Placed], latency_ns: u64) -> Option<(SlowCause, String)> {
    let mut of_cause: BTreeMap<SlowCause, Vec<(Placed, String)>> = BTreeMap::new();
    for part in parts.iter().copied().filter(|part| part.ns() > 0) {
        let (cause, why) = cause_of(ctx, request, part);
        of_cause.entry(cause).or_default().push((part, why));
    }
    of_cause.remove(&SlowCause::Unknown);
    let sum_ns = |parts: &[(Placed, String)]| parts.iter().map(|(part, _)| part.ns()).sum::<u64>();
    let (cause, mut parts) = of_cause.into_iter().max_by_key(|(_, parts)| sum_ns(parts))?;
    if sum_ns(&parts) * 2 < latency_ns {
        return None;
    }
    parts.sort_by_key(|(part, _)| Reverse(part.ns()));
    let (longest, why) = parts.first()?;
    let others =
        parts[1..].iter().map(|(part, _)| format!("{:.1} ms in {}", part.ns() as f64 / 1e6, part.stretch.name()));
    let others: Vec<String> = others.collect();
    Some((cause, format!("{}; for the same reason {}", longest.in_words(latency_ns, why), others.join(", "))))
}

fn cause_of(ctx: &Context<'_, '_>, request: u32, part: Placed) -> (SlowCause, String) {
    let (stretch, ns) = (part.stretch, part.ns());
    let attempt = ctx.join.decisive(request);
    let conn = attempt.and_then(|attempt| ctx.conn(attempt));
    let pod = attempt.and_then(|attempt| attempt.pod);
    let name = pod.map_or("an unknown pod", |pod| ctx.pod_name(pod));
    match stretch {
        Stretch::WaitingToSend => {
            let no_worker = || "no worker of the load generator was free".to_owned();
            (SlowCause::LateSender, did_not_run(ctx, request, part).unwrap_or_else(no_worker))
        }
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
        Stretch::ConnectToGateway if ns >= SYN_TIMEOUT_NS => match along_older_entry(ctx, request) {
            Some(why) => (SlowCause::SynRetransmit, why),
            None => by_client(ctx, request, part),
        },
        Stretch::ConnectToGateway | Stretch::ClientToGateway | Stretch::GatewayToClient => {
            by_client(ctx, request, part)
        }
        Stretch::QueuedAtGateway | Stretch::Gateway | Stretch::GatewayWrite | Stretch::GatewayReturn => {
            in_process(ctx, request, part, ctx.front(request).pod)
        }
        Stretch::QueuedAtPod | Stretch::Pod => {
            in_process(ctx, request, part, ctx.join.decisive(request).and_then(|attempt| attempt.pod))
        }
        other => (SlowCause::Unknown, unexplained(other)),
    }
}

/// The time that a pod's process had something and did nothing that anybody saw.
fn in_process(ctx: &Context<'_, '_>, request: u32, part: Placed, whose: Option<PodAt>) -> (SlowCause, String) {
    let Some(life) = whose.map(|pod| ctx.cluster.pod(pod)) else {
        return (SlowCause::Unknown, unexplained(part.stretch));
    };
    let client = ctx.client.at(request);
    let request = (start_ns(client), client.end_ns);
    let stopped = Stopped::of(life, (part.from_ns, part.to_ns), request, ctx.records_whole());
    let name = life.name;
    if let Some(reason) = stopped.reason(name) {
        return reason;
    }
    let (cause, what) = match part.stretch {
        Stretch::QueuedAtGateway => (SlowCause::QueuedAtGateway, "did not read it sooner"),
        Stretch::QueuedAtPod => (SlowCause::QueuedAtPod, "did not read it sooner"),
        Stretch::Pod => (SlowCause::SlowPod, "took that long to answer"),
        Stretch::GatewayReturn => (SlowCause::SlowGateway, "took that long to pass the answer on"),
        _ => (SlowCause::SlowGateway, "took that long to pass the request on"),
    };
    let ran = stopped.ran_in_words().map_or(String::new(), |ran| format!("; in that time it {ran}"));
    (cause, format!("{name} {what}{ran}{}", stopped.around_in_words()))
}

/// The client's own part of the way: to connect, to write, to read what has arrived.
fn by_client(ctx: &Context<'_, '_>, request: u32, part: Placed) -> (SlowCause, String) {
    match did_not_run(ctx, request, part) {
        Some(why) => (SlowCause::LateClient, why),
        None => (SlowCause::Unknown, unexplained(part.stretch)),
    }
}

/// The sender did not run for most of that time.
fn did_not_run(ctx: &Context<'_, '_>, request: u32, part: Placed) -> Option<String> {
    let late_ns = lags::late_ns(ctx, request, part.from_ns, part.to_ns);
    let late_ms = late_ns as f64 / 1e6;
    (late_ns > 0 && late_ns * 2 >= part.ns()).then(|| {
        let sender = lags::sender_in_words(ctx, request);
        format!("{sender} did not run for {late_ms:.0} ms of that time: its own timers were late, and its machine is busy, or stopped it")
    })
}

fn unexplained(stretch: Stretch) -> String {
    format!("nothing that was measured explains the time in {}", stretch.name())
}

/// The node made an entry for the client's connection a SYN timeout after it was sent, and had one from the same port before: of
/// the same connection, which shows that the SYN was sent again; or of an earlier one, to a gateway pod on its way out, which is
/// where the first SYNs went.
fn along_older_entry(ctx: &Context<'_, '_>, request: u32) -> Option<String> {
    let sent_ns = ctx.client.at(request).sent_ns;
    let made = ctx.seen.translation(ctx.front(request).translation.get()?);
    let late_ns = made.created_ns().checked_sub(sent_ns).filter(|ns| *ns >= SYN_TIMEOUT_NS)?;
    let of_port = ctx.seen.translations().take_while(|older| older.created_ns() < made.created_ns());
    let older = of_port.filter(|older| older.as_dialled() == made.as_dialled()).last()?;
    // One that is younger than the request was made by its own first SYN.
    if let Some(first_ns) = older.created_ns().checked_sub(sent_ns) {
        return (made.created_ns() - older.created_ns() >= SYN_TIMEOUT_NS).then(|| {
            format!(
                "the client's SYN had to be sent again: the node made an entry for it after {:.1} ms, and another after {:.1} s",
                first_ns as f64 / 1e6,
                late_ns as f64 / 1e9
            )
        });
    }
    let life = ctx.cluster.pod(older.pod?);
    life.ending_by(made.created_ns())?;
    Some(format!(
        "the client's SYN had to be sent again: an older conntrack entry of its source port led to {}, which was on its way out, and a new one was made after {:.1} s",
        life.name,
        late_ns as f64 / 1e9
    ))
}

/// The node knew of the client's connection at once, but the gateway only a SYN timeout later.
fn syn_repeated(ctx: &Context<'_, '_>, request: u32, ns: u64) -> bool {
    let front = ctx.front(request);
    let created_ns = front.translation.get().map(|at| ctx.seen.translation(at).created_ns());
    let opened_ns = front.conn.get().map(|at| ctx.seen.conn(at).opened_ns());
    ns >= SYN_TIMEOUT_NS
        && created_ns.zip(opened_ns).is_some_and(|(created, opened)| opened.saturating_sub(created) >= SYN_TIMEOUT_NS)
}
