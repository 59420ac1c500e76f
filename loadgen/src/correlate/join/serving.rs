//! Attempt ↔ the serving pod: by trace id and by the translated addresses, which must agree.

use std::collections::HashMap;

use observer::record::{Hop, NatSource};

use super::{Attempt, Conflicts, Input};
use crate::correlate::limits::HANDSHAKE_NS;
use crate::correlate::seen::{Conn, Groups};
use crate::raw::compact::Maybe;

/// Finds the pod's side of each attempt.
pub fn join(input: &Input<'_, '_>, by_request: &Groups, attempts: &mut [Attempt], conflicts: &mut Conflicts) {
    by_trace(input, by_request, attempts, conflicts);
    by_address(input, attempts);
    for attempt in attempts {
        attempt.pod = pod_of(input, attempt, conflicts);
    }
}

/// Gives each exchange seen at a pod to the attempt that it answers.
fn by_trace(input: &Input<'_, '_>, by_request: &Groups, attempts: &mut [Attempt], conflicts: &mut Conflicts) {
    let seen = input.seen;
    for request in 0..input.client.len() as u32 {
        for at_pod in seen.of_request(Hop::Pod, request) {
            let pod_side = seen.exchange(*at_pod);
            let with_data = |at: &&u32| attempts[**at as usize].exchange.is_some();
            let candidates = || by_request.of(request).iter().filter(with_data).copied();
            let translated = |at: u32| {
                let translated = seen.conn(attempts[at as usize].conn.get()?).translated()?;
                Some(translated == pod_side.inbound())
            };
            // Without a translation, the last attempt written before the pod saw it.
            let could_be = |at: &u32| {
                let attempt = &attempts[*at as usize];
                let seen_ns = pod_side.request_start_ns().saturating_add(input.clock_error_ns);
                translated(*at).is_none() && attempt.pod_exchange.is_none() && attempt.start_ns <= seen_ns
            };
            let by_address = candidates().find(|at| translated(*at) == Some(true));
            let by_time = || candidates().rfind(could_be);
            let Some(chosen) = by_address.or_else(by_time).or_else(|| candidates().next_back()) else { continue };
            if translated(chosen) == Some(false) {
                // The trace id is in the bytes that the pod received: it decides, and the conflict is told.
                conflicts.add(|| {
                    format!(
                        "request {}: its trace id arrived at {} from {}, where no attempt of the gateway was translated to",
                        input.client.at(request).seq,
                        pod_side.local(),
                        pod_side.remote()
                    )
                });
            }
            let attempt = &mut attempts[chosen as usize];
            attempt.pod_exchange = attempt.pod_exchange.get().or(Some(*at_pod)).into();
            attempt.pod_conn = attempt.pod_conn.get().or(seen.conn_position(pod_side.conn_id)).into();
        }
    }
}

/// Established attempts that carried nothing still have a connection at the pod.
fn by_address(input: &Input<'_, '_>, attempts: &mut [Attempt]) {
    let seen = input.seen;
    let mut wanted = HashMap::new();
    for (position, attempt) in attempts.iter().enumerate().filter(|(_, attempt)| attempt.pod_conn.is_none()) {
        let conn = attempt.conn.get().map(|at| seen.conn(at));
        if let Some((conn, translated)) = conn.and_then(|conn| Some((conn, conn.translated()?)))
            && conn.established_ns().is_some()
        {
            let until_ns = conn.ended_ns().unwrap_or(u64::MAX);
            wanted.entry(translated).or_insert_with(Vec::new).push((conn.opened_ns(), until_ns, position));
        }
    }
    if wanted.is_empty() {
        return;
    }
    for (at, pod_side) in (0..).zip(seen.conns()).filter(|(_, conn)| conn.hop == Hop::Pod) {
        let Some(candidates) = wanted.get(&pod_side.inbound()) else { continue };
        let opened_ns = pod_side.opened_ns();
        // The same addresses and ports come again in a long run: the handshake falls into the attempt.
        let during = |(from_ns, until_ns, _): &&(u64, u64, usize)| {
            *from_ns <= opened_ns.saturating_add(input.clock_error_ns)
                && opened_ns <= until_ns.saturating_add(input.clock_error_ns).saturating_add(HANDSHAKE_NS)
        };
        if let Some((.., position)) = candidates.iter().rev().find(during) {
            attempts[*position].pod_conn = Maybe::some(at);
        }
    }
}

/// The serving pod by its socket, else the owner of the address that the translation chose.
fn pod_of(input: &Input<'_, '_>, attempt: &Attempt, conflicts: &mut Conflicts) -> Option<u32> {
    let seen = input.seen;
    let conn = attempt.conn.get().map(|at| seen.conn(at));
    let chosen = conn.and_then(Conn::nat_pod);
    let socket = attempt
        .pod_exchange
        .get()
        .and_then(|at| seen.exchange(at).pod)
        .or_else(|| attempt.pod_conn.get().and_then(|at| seen.conn(at).pod));
    if let (Some(chosen), Some(socket)) = (chosen, socket)
        && chosen != socket
        // An old entry leads to whoever has the address by now: two pods, and no contradiction.
        && conn.and_then(Conn::nat_source).is_some_and(|source| source != NatSource::Reused)
    {
        conflicts.add(|| {
            format!(
                "request {}: translated to pod {}, but received by pod {}",
                input.client.at(attempt.request).seq,
                input.cluster.pod(chosen).name,
                input.cluster.pod(socket).name
            )
        });
    }
    socket.or(chosen).or_else(|| input.cluster.owner_of(conn?.nat()?.chosen.ip(), attempt.start_ns))
}
