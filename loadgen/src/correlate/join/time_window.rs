//! The last resort for attempts without data where the order of socket calls does not tell (kernels before 6.3, gateways
//! that move work between threads): by time. Never a proof, and marked so.

use super::attempts::{Found, in_run, within, without_data};
use super::{Front, Input};
use crate::report::schema::JoinedBy;

/// Gives each attempt to the first failed request, in order of time, that the same gateway pod had at that moment and
/// that has no attempt yet.
pub fn join(input: &Input<'_, '_>, fronts: &[Front], unresolved: Vec<u32>, found: &mut Found) {
    if unresolved.is_empty() {
        return;
    }
    let mut has_attempt = vec![false; fronts.len()];
    for attempt in &found.attempts {
        has_attempt[attempt.request as usize] = true;
    }
    let start_ns =
        |at: u32| fronts[at as usize].exchange.get().map(|exchange| input.seen.exchange(exchange).request_start_ns());
    let mut waiting: Vec<u32> = (0..fronts.len() as u32)
        .filter(|at| !has_attempt[*at as usize] && !input.client.at(*at).succeeded() && start_ns(*at).is_some())
        .collect();
    waiting.sort_by_key(|at| (start_ns(*at), *at));
    for at in unresolved {
        let conn = input.seen.conn(at);
        let same_pod = |front: &Front| {
            let exchange = front.exchange.get().map(|e| input.seen.exchange(e));
            match (exchange.and_then(|e| e.pod), conn.pod) {
                (Some(gateway), Some(dialler)) => gateway == dialler,
                _ => true,
            }
        };
        let fits = |request: &u32| {
            let front = &fronts[*request as usize];
            same_pod(front) && within(input, front, conn)
        };
        if let Some(place) = waiting.iter().position(fits) {
            found.attempts.push(without_data(waiting.remove(place), at, conn, JoinedBy::TimeWindow));
        } else {
            found.unjoined += u64::from(in_run(input, conn.opened_ns()));
        }
    }
}
