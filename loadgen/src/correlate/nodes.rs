//! The nodes: what ran there, and whether somebody watched it.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Role;
use super::completeness::events_dropped;
use super::context::Context;
use crate::report::schema::NodeSeen;

/// Every node that a gateway or serving pod ran on during the run, or that has an agent, by name.
pub fn nodes(ctx: &Context<'_, '_>) -> Vec<NodeSeen> {
    let mut pods: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let run = &ctx.raw.run;
    let gone_before = |gone_ns: Option<u64>| gone_ns.is_some_and(|ns| ns < run.started_ns);
    for life in ctx.cluster.pods.iter().filter(|life| !gone_before(life.gone_ns)) {
        let (Some(node), Some(role)) = (life.node, life.role) else { continue };
        let (gateways, upstreams) = pods.entry(node).or_default();
        *(if role == Role::Gateway { gateways } else { upstreams }) += 1;
    }
    let observers: BTreeMap<&str, _> = ctx.raw.observers.iter().map(|file| (file.node.as_str(), file)).collect();
    let names: BTreeSet<&str> = pods.keys().chain(observers.keys()).chain(&ctx.seen.nodes).copied().collect();
    let of = |name: &str| {
        let file = observers.get(name);
        let (gateway_pods, upstream_pods) = pods.get(name).copied().unwrap_or_default();
        let clock = ctx.clocks.of_node(name);
        NodeSeen {
            name: name.to_owned(),
            observer: file.is_some() || ctx.seen.nodes.contains(&name),
            gateway_pods,
            upstream_pods,
            records: file.and_then(|file| Some(file.records_end.as_ref()?.records)),
            events_dropped: file.and_then(|file| events_dropped(std::slice::from_ref(*file))),
            clock_offset_ns: clock.map(|clock| clock.offset_ns),
            clock_error_bound_ns: clock.map(|clock| clock.error_bound_ns),
            same_machine: clock.map(|clock| clock.same_machine),
        }
    };
    names.into_iter().map(of).collect()
}

/// What of the lab ran where nobody watched, in words. Without any agent there is nothing to tell apart.
pub fn unwatched(nodes: &[NodeSeen]) -> Vec<String> {
    let blind = nodes.iter().filter(|node| !node.observer && nodes.iter().any(|other| other.observer));
    blind
        .map(|node| {
            format!(
                "node {} has no observer: what happened at its {} gateway and {} serving pods was not seen there",
                node.name, node.gateway_pods, node.upstream_pods
            )
        })
        .collect()
}
