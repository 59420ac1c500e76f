//! Requests that never became an exchange at a gateway: refused, unanswered or cut before the gateway had read them.
//!
//! The client's error does not name its local port. But each answered request has taken its own translation, so what is
//! left of them are these requests' attempts. Both lists are matched in order of time. When every candidate leads to the
//! same pod, that pod is certain whichever is the right one; else the match is only a guess by time, and says so.

use std::collections::{HashMap, HashSet};

use observer::record::Hop;

use super::front::gateway_pod;
use super::{Front, Input};
use crate::correlate::limits::CONNTRACK_LAG_NS;
use crate::raw::ClientErrorKind;
use crate::raw::compact::Maybe;
use crate::report::schema::JoinedBy;

/// Matches what is left on both sides.
pub fn join(input: &Input<'_, '_>, fronts: &mut [Front]) {
    let mut waiting: Vec<u32> =
        (0..fronts.len() as u32).filter(|at| fronts[*at as usize].joined_by.is_none()).collect();
    if waiting.is_empty() {
        return;
    }
    waiting.sort_by_key(|at| (input.client.at(*at).sent_ns, *at));
    let left = translations_left(input, fronts);
    let mut taken = vec![false; left.len()];
    for at in waiting {
        let request = input.client.at(at);
        let Some(error) = request.error else { continue };
        let from_ns = request.sent_ns.saturating_sub(input.clock_error_ns);
        let tried_until_ns =
            request.end_ns.min(request.sent_ns.saturating_add(input.run.config.connect_timeout_ms * 1_000_000));
        let until_ns = tried_until_ns.saturating_add(input.clock_error_ns + CONNTRACK_LAG_NS);
        let first = left.partition_point(|candidate| candidate.created_ns < from_ns);
        let window = left[first..].iter().take_while(|candidate| candidate.created_ns <= until_ns);
        // A refused or unanswered attempt has no connection at the gateway.
        let never_connected = matches!(
            error.kind,
            ClientErrorKind::ConnectRefused | ClientErrorKind::ConnectTimeout | ClientErrorKind::ConnectOther
        );
        let fits = |candidate: &Left| !(never_connected && candidate.conn.is_some());
        let in_window: Vec<usize> =
            window.enumerate().filter(|(_, candidate)| fits(candidate)).map(|(i, _)| first + i).collect();
        let Some(chosen) = in_window.iter().copied().find(|i| !taken[*i]) else { continue };
        taken[chosen] = true;
        let front = &mut fronts[at as usize];
        front.translation = Maybe::some(left[chosen].translation);
        front.conn = left[chosen].conn.into();
        let one_pod = in_window.iter().all(|i| left[*i].pod.is_some() && left[*i].pod == left[chosen].pod);
        front.joined_by = Some(if one_pod { JoinedBy::Tuple } else { JoinedBy::TimeWindow });
        front.pod = gateway_pod(input, front);
    }
}

struct Left {
    translation: u32,
    created_ns: u64,
    conn: Option<u32>,
    pod: Option<u32>,
}

/// Translations that no request has taken and on whose connection nothing was exchanged, in order of time.
fn translations_left(input: &Input<'_, '_>, fronts: &[Front]) -> Vec<Left> {
    let taken: HashSet<u32> = fronts.iter().filter_map(|front| front.translation.get()).collect();
    let mut left: Vec<Left> = Vec::new();
    let mut by_tuple: HashMap<_, Vec<usize>> = HashMap::new();
    for (position, translation) in (0..).zip(input.seen.translations()) {
        if !taken.contains(&position) {
            by_tuple.entry(translation.as_seen()).or_default().push(left.len());
            let front = Front { translation: Maybe::some(position), ..Front::default() };
            let created_ns = translation.created_ns();
            left.push(Left { translation: position, created_ns, conn: None, pod: gateway_pod(input, &front) });
        }
    }
    let mut someone_elses = vec![false; left.len()];
    for (position, conn) in (0..).zip(input.seen.conns()).filter(|(_, conn)| conn.hop == Hop::Front) {
        let Some(candidates) = by_tuple.get(&conn.inbound()) else { continue };
        let opened_ns = conn.opened_ns();
        // Of several uses of one tuple, the connection belongs to the entry made last before it.
        let made_before = |at: &&usize| left[**at].created_ns <= opened_ns.saturating_add(CONNTRACK_LAG_NS);
        if let Some(at) = candidates.iter().rev().find(made_before).copied() {
            left[at].conn = Some(position);
            someone_elses[at] = conn.exchanges() > 0 || !input.seen.on_conn(conn.id).is_empty();
        }
    }
    let mut keep = someone_elses.iter().map(|others| !others);
    left.retain(|_| keep.next().unwrap_or(true));
    left
}
