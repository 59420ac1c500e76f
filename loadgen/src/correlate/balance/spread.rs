//! The choices and requests of a run, pod by pod.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use observer::record::NatSource;
use rustc_hash::FxHashMap;

use super::choices::Choices;
use crate::correlate::cluster::{PodAt, Role};
use crate::correlate::context::Context;
use crate::correlate::join::Attempt;
use crate::correlate::seen::{Conn, Exch};

/// What is counted.
#[derive(Debug, Default)]
pub struct Spread {
    /// Pods that are compared.
    pub pods: Vec<PodAt>,
    /// Connections opened during the run, in order of time.
    pub choices: Choices,
    /// How many connections carried so many requests and led to that pod.
    pub connections: BTreeMap<(u32, u32), u64>,
    /// Requests on a connection that had carried one before.
    pub on_kept: u64,
}

impl Spread {
    /// Requests.
    pub fn requests(&self) -> u64 {
        self.connections.iter().map(|((requests, _), count)| u64::from(*requests) * count).sum()
    }

    /// Connections that carried more than one request.
    pub fn kept(&self) -> u64 {
        self.connections.iter().filter(|((requests, _), _)| *requests > 1).map(|(_, count)| count).sum()
    }
}

/// Serving pods that were ready for the whole run.
pub fn steady_pods(ctx: &Context<'_, '_>) -> Vec<PodAt> {
    let (from_ns, until_ns) = (ctx.raw.run.started_ns, ctx.raw.run.ended_ns);
    let steady = ctx
        .cluster
        .pods
        .iter()
        .enumerate()
        .filter(|(_, life)| life.role == Some(Role::Upstream) && life.ready_throughout(from_ns, until_ns));
    steady.map(|(at, _)| at as PodAt).collect()
}

/// A pod was chosen for this connection, and during the run: not where an old entry applied, nor before.
pub fn chosen_in_run(ctx: &Context<'_, '_>, conn: Conn<'_>) -> bool {
    conn.opened_ns() >= ctx.raw.run.started_ns && conn.nat_source().is_some_and(|source| source != NatSource::Reused)
}

impl Spread {
    /// Counts.
    pub fn of(ctx: &Context<'_, '_>) -> Self {
        let pods = steady_pods(ctx);
        let position: FxHashMap<PodAt, u32> = pods.iter().copied().zip(0..).collect();
        // Its connection, and the attempt.
        let mut by_conn: Vec<(u32, u32)> = Vec::with_capacity(ctx.join.attempts.len());
        let mut connections = BTreeMap::new();
        let mut on_kept = 0;
        for (at, attempt) in (0..).zip(&ctx.join.attempts) {
            let Some(pod) = attempt.pod.and_then(|pod| position.get(&pod)) else { continue };
            on_kept += u64::from(ctx.exchange(attempt).is_some_and(Exch::reused));
            match attempt.conn.get() {
                Some(conn) => by_conn.push((conn, at)),
                None => *connections.entry((1, *pod)).or_insert(0) += 1,
            }
        }
        // By position of the connection, which is its order in time; the first attempt on it comes first.
        by_conn.sort_unstable();
        let mut clients: HashMap<IpAddr, u32> = HashMap::new();
        let mut choices = Choices::new(pods.len(), by_conn.len());
        for of_conn in by_conn.chunk_by(|(one, _), (next, _)| one == next) {
            let (at, first) = of_conn[0];
            let Attempt { request, pod, .. } = ctx.join.attempts[first as usize];
            let Some(pod) = pod.and_then(|pod| position.get(&pod).copied()) else { continue };
            *connections.entry((of_conn.len() as u32, pod)).or_insert(0) += 1;
            let conn = ctx.seen.conn(at);
            if !chosen_in_run(ctx, conn) {
                continue;
            }
            let front = ctx.front_exchange(request).map(|front| front.remote().ip());
            let next = clients.len() as u32 + 1;
            let client = front.map_or(0, |ip| *clients.entry(ip).or_insert(next));
            let gateway = conn.pod.map_or(0, |pod| pod + 1);
            // Thread numbers are the node's own.
            let thread = conn.thread().map_or(gateway, |thread| thread ^ (u32::from(conn.node) << 24));
            choices.push(pod, [0, u32::from(conn.node), gateway, thread, client]);
        }
        Self { pods, choices, connections, on_kept }
    }
}
