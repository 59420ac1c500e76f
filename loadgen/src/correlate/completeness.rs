//! How much was seen, and what watching cost.

use std::collections::BTreeMap;

use observer::api::Status;
use observer::record::Hop;

use super::context::Context;
use super::failures::Failed;
use super::nodes;
use crate::raw::{ObserverFile, Subject};
use crate::report::schema::{Completeness, JoinedBy, ObserverCost, PodAgreement};

/// Loss counters by name, over all nodes.
fn loss(observers: &[ObserverFile]) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (name, count) in observers.iter().filter_map(|file| file.records_end.as_ref()).flat_map(|end| &end.loss) {
        *sum.entry(name.clone()).or_insert(0) += count;
    }
    sum
}

/// Kernel events lost during the run. `None`: some agent cannot say.
pub fn events_dropped(observers: &[ObserverFile]) -> Option<u64> {
    if observers.is_empty() {
        return None;
    }
    observers.iter().try_fold(0, |sum: u64, file| {
        let after = file.after.as_ref()?;
        // An agent that started again counts from zero, and what it lost before is unknown.
        (after.started_ns == file.before.started_ns)
            .then(|| sum + after.loss.events_dropped.saturating_sub(file.before.loss.events_dropped))
    })
}

/// New conntrack entries that the kernel told the agents of only when it was asked. There may be others, of clients whose addresses
/// nobody could ask for.
pub fn entries_untold(observers: &[ObserverFile]) -> u64 {
    let untold = |status: &Status| status.counters.get("conntrack_event_missed").copied().unwrap_or(0);
    let risen = |file: &ObserverFile| Some(untold(file.after.as_ref()?).saturating_sub(untold(&file.before)));
    observers.iter().filter_map(risen).sum()
}

/// Fills the section.
pub fn completeness(ctx: &Context<'_, '_>, failed: &[Failed]) -> Completeness {
    let observers = &ctx.raw.observers;
    let observed = ctx.observed();
    let seen_at = |hop| -> u64 {
        (0..ctx.client.len() as u32).filter(|request| !ctx.seen.of_request(hop, *request).is_empty()).count() as u64
    };
    let mut failures_joined_by: BTreeMap<String, u64> = BTreeMap::new();
    for failed in failed {
        let way = failed.failure.joined_by.map_or("none", JoinedBy::name);
        *failures_joined_by.entry(way.to_owned()).or_insert(0) += 1;
    }
    let gaps = ctx.raw.timeline.iter().filter(|entry| matches!(entry.subject, Subject::WatchGap { .. })).count();
    let goose = ctx.raw.run.goose.as_ref();
    let succeeded = (ctx.client.len() - failed.len()) as u64;
    Completeness {
        requests_seen_at_gateway: observed.then(|| seen_at(Hop::Front)),
        requests_seen_at_pod: observed.then(|| seen_at(Hop::Pod)),
        pod_agreement: if observed { pod_agreement(ctx) } else { None },
        events_dropped: events_dropped(observers),
        join_conflicts: observed.then_some(ctx.join.conflicts.count),
        client_records_dropped: ctx.raw.run.client_records_dropped,
        records_dropped: if observers.is_empty() {
            None
        } else {
            observers.iter().map(|file| file.run.as_ref().map(|run| run.records_dropped)).sum()
        },
        failures_joined_by,
        loss: loss(observers),
        clock_error_bound_ns: ctx.clocks.largest_error_ns(),
        nodes: nodes::nodes(ctx),
        goose_agrees: goose.map(|goose| {
            goose.requests == ctx.raw.run.sent && goose.successes == succeeded && goose.failures == failed.len() as u64
        }),
        attempts_unjoined: observed.then_some(ctx.join.unjoined),
        attempts_of_others: observed.then_some(ctx.join.foreign),
        attempts_joined_by: ctx.join.count_by_way(),
        watch_gaps: gaps as u64,
    }
}

/// The pod that we name against the pod that the answer names.
fn pod_agreement(ctx: &Context<'_, '_>) -> Option<PodAgreement> {
    let mut agreement = PodAgreement { compared: 0, agreed: 0 };
    for (position, client) in ctx.client.iter().enumerate() {
        let Some(named) = client.pod_name else { continue };
        let at_pod = ctx.join.decisive(position as u32).filter(|attempt| attempt.pod_exchange.is_some());
        let Some(pod) = at_pod.and_then(|attempt| attempt.pod) else { continue };
        agreement.compared += 1;
        agreement.agreed += u64::from(ctx.pod_name(pod) == named);
    }
    (agreement.compared > 0).then_some(agreement)
}

/// What watching cost, from the agents' own account before and after the run.
pub fn observer_cost(ctx: &Context<'_, '_>) -> Option<ObserverCost> {
    let mut cost = ObserverCost { cpu_ratio: 0.0, rss_bytes: 0, bpf_ns_per_request: None, bpf_cpu_ratio: None };
    let mut bpf_ns = Some(0_u64);
    let mut wall_ns = 0;
    let mut any = false;
    for file in &ctx.raw.observers {
        let Some(after) = file.after.as_ref().filter(|after| after.started_ns == file.before.started_ns) else {
            continue;
        };
        let spent_wall_ns = after.cost.wall_ns.saturating_sub(file.before.cost.wall_ns);
        if spent_wall_ns == 0 {
            continue;
        }
        any = true;
        wall_ns = wall_ns.max(spent_wall_ns);
        cost.cpu_ratio += after.cost.cpu_ns.saturating_sub(file.before.cost.cpu_ns) as f64 / spent_wall_ns as f64;
        cost.rss_bytes = cost.rss_bytes.max(after.cost.rss_bytes);
        let spent_bpf_ns =
            after.cost.bpf_ns.zip(file.before.cost.bpf_ns).map(|(after, before)| after - before.min(after));
        bpf_ns = bpf_ns.zip(spent_bpf_ns).map(|(sum, spent)| sum + spent);
    }
    let requests = ctx.client.len() as f64;
    cost.bpf_ns_per_request = bpf_ns.filter(|_| requests > 0.0).map(|ns| ns as f64 / requests);
    cost.bpf_cpu_ratio = bpf_ns.filter(|_| wall_ns > 0).map(|ns| ns as f64 / wall_ns as f64);
    any.then_some(cost)
}
