//! The chain of a pod's end: what happened when, from the deletion to the last packet.

use observer::record::{Hop, NatSource, Outcome};

use super::clock::ms_between;
use super::cluster::{PodAt, PodLife};
use super::context::Context;
use crate::raw::ClientErrorKind;
use crate::report::schema::{ChainStep, JoinedBy};

/// Kernel-side moments of one pod, collected in one pass over the records.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "a unit in a name reads better")]
pub struct KernelMoments {
    /// The last connection that a rule still sent there.
    pub last_new_connection_ns: Option<u64>,
    /// The first connection that was refused after its deletion was dialled.
    pub listener_gone_ns: Option<u64>,
    /// The first connection that nobody answered after its deletion was dialled.
    pub address_gone_ns: Option<u64>,
    /// The last byte of an answer that left it.
    pub last_byte_ns: Option<u64>,
}

/// Collects the moments of all pods.
pub fn kernel_moments(ctx: &Context<'_, '_>) -> Vec<KernelMoments> {
    let mut moments = vec![KernelMoments::default(); ctx.cluster.pods.len()];
    let later = |slot: &mut Option<u64>, ns: u64| *slot = Some(slot.map_or(ns, |old| old.max(ns)));
    let earlier = |slot: &mut Option<u64>, ns: u64| *slot = Some(slot.map_or(ns, |old| old.min(ns)));
    for attempt in &ctx.join.attempts {
        let (Some(pod), Some(conn)) = (attempt.pod, ctx.conn(attempt)) else { continue };
        let moments = &mut moments[pod as usize];
        if conn.nat_source() == Some(NatSource::New) {
            // The socket's own time: the entry's event is only stamped when it is read.
            later(&mut moments.last_new_connection_ns, conn.opened_ns());
        }
        let slot = match conn.outcome() {
            Outcome::Refused if conn.nat_source().is_some() => &mut moments.listener_gone_ns,
            Outcome::Unanswered => &mut moments.address_gone_ns,
            _ => continue,
        };
        if conn.ended_ns().is_some_and(|ended_ns| ctx.cluster.pod(pod).ending_by(ended_ns).is_some()) {
            earlier(slot, conn.opened_ns());
        }
    }
    for (request, front) in (0..).zip(&ctx.join.front) {
        let (Some(pod), Some(translation)) = (front.pod, front.translation.get()) else { continue };
        let translation = ctx.seen.translation(translation);
        if translation.source() == NatSource::New {
            later(&mut moments[pod as usize].last_new_connection_ns, translation.created_ns());
        }
        if front.joined_by != Some(JoinedBy::Tuple) {
            continue;
        }
        let client = ctx.client.at(request);
        let slot = match client.error.map(|error| error.kind) {
            Some(ClientErrorKind::ConnectRefused) => &mut moments[pod as usize].listener_gone_ns,
            Some(ClientErrorKind::ConnectTimeout) => &mut moments[pod as usize].address_gone_ns,
            _ => continue,
        };
        if ctx.cluster.pod(pod).ending_by(client.end_ns).is_some() {
            earlier(slot, translation.created_ns());
        }
    }
    let serving = ctx.seen.exchanges().filter(|exchange| matches!(exchange.hop, Hop::Pod | Hop::Front));
    for exchange in serving.filter(|exchange| exchange.request().is_some()) {
        if let (Some(pod), Some(end_ns)) = (exchange.pod, exchange.response_end_ns()) {
            later(&mut moments[pod as usize].last_byte_ns, end_ns);
        }
    }
    moments
}

/// When the pod's end began: our own request, else the first sign of it, be it in the watch or in the kernel, which is
/// often the earlier witness. `None`: it was not deleted.
pub fn start_ns(life: &PodLife<'_>, moments: &KernelMoments) -> Option<u64> {
    let shown_ns = life.deletion_ns()?;
    if life.deletion_requested_ns.is_some() {
        return Some(shown_ns);
    }
    [moments.listener_gone_ns, moments.address_gone_ns].into_iter().flatten().chain([shown_ns]).min()
}

/// The chain of one pod. Empty: it was not deleted.
pub fn chain(ctx: &Context<'_, '_>, pod: PodAt, moments: &KernelMoments) -> Vec<ChainStep> {
    let life = ctx.cluster.pod(pod);
    let Some(start_ns) = start_ns(life, moments) else { return Vec::new() };
    let steps = [
        ("deletion_requested", life.deletion_requested_ns, "action"),
        ("terminating_seen", life.terminating_ns, "kubernetes"),
        ("endpoint_removed", life.endpoint_removed_ns(), "kubernetes"),
        ("last_new_connection", moments.last_new_connection_ns, "conntrack"),
        ("listener_gone", moments.listener_gone_ns, "kernel"),
        ("address_gone", moments.address_gone_ns, "kernel"),
        ("last_byte", moments.last_byte_ns, "kernel"),
        ("pod_gone", life.gone_ns, "kubernetes"),
    ];
    steps
        .into_iter()
        .map(|(step, at_ns, source)| ChainStep {
            step: step.to_owned(),
            at_ns,
            after_ms: at_ns.map(|at_ns| ms_between(start_ns, at_ns)),
            source: source.to_owned(),
            failed_until_next: at_ns.map(|_| 0),
        })
        .collect()
}

/// Counts each lost attempt at the step that it followed in time. What was lost before the first step is at none: it was lost to
/// something else.
pub fn count_lost(steps: &mut [ChainStep], attempts: &[u64]) {
    // The last connection that was still sent there is lost before this step, not after it.
    let begins_ns = |step: &ChainStep| Some(step.at_ns? + u64::from(step.step == "last_new_connection"));
    let mut order: Vec<(u64, usize)> =
        steps.iter().enumerate().filter_map(|(position, step)| Some((begins_ns(step)?, position))).collect();
    order.sort_unstable();
    for attempt_ns in attempts {
        let after = order.partition_point(|(at_ns, _)| at_ns <= attempt_ns);
        let Some((_, position)) = after.checked_sub(1).map(|before| order[before]) else { continue };
        *steps[position].failed_until_next.get_or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_counted_at_the_step_before_it_in_time() {
        let step = |step: &str, at_ns: Option<u64>| ChainStep {
            step: step.to_owned(),
            at_ns,
            after_ms: None,
            source: String::new(),
            failed_until_next: at_ns.map(|_| 0),
        };
        // The list is in the order of causes, which need not be that of time.
        let mut steps = [
            step("deletion_requested", Some(100)),
            step("endpoint_removed", Some(150)),
            step("last_new_connection", Some(190)),
            step("listener_gone", Some(120)),
            step("address_gone", None),
        ];
        count_lost(&mut steps, &[90, 100, 119, 120, 149, 155, 180, 190, 500]);
        let lost: Vec<_> = steps.iter().map(|step| step.failed_until_next).collect();
        assert_eq!(lost, [Some(2), Some(3), Some(1), Some(2), None]);
    }
}
