//! One request, and how its pod was decided: what was dialled, what the translation made of it, who else could have been
//! chosen, and whether anybody was asked at all.

use observer::record::NatSource;

use crate::correlate::context::Context;
use crate::correlate::seen::Exch;
use crate::raw::{Endpoint, Subject};
use crate::report::schema::{ChoiceEndpoint, ChoiceEvidence};

/// The request that the run's settings name, else the first success in the second half of the run: by then kept
/// connections are there to be used again.
pub fn chosen_request(ctx: &Context<'_, '_>) -> Option<u32> {
    let wanted = ctx.raw.run.config.experiment.get("request").and_then(|seq| seq.parse::<u64>().ok());
    let served = |request: &u32| {
        ctx.client.at(*request).succeeded()
            && ctx.join.decisive(*request).is_some_and(|attempt| attempt.pod.is_some() && attempt.conn.is_some())
    };
    let count = ctx.client.len() as u32;
    match wanted {
        Some(seq) => (0..count).find(|request| ctx.client.at(*request).seq == seq),
        None => (count / 2..count).chain(0..count / 2).find(served),
    }
}

/// Everything that is known of its choice. `None`: it was not seen on a connection to a pod.
pub fn evidence(ctx: &Context<'_, '_>, request: u32) -> Option<ChoiceEvidence> {
    let client = ctx.client.at(request);
    let attempt = ctx.join.decisive(request)?;
    let (conn, pod) = (ctx.conn(attempt)?, attempt.pod?);
    let nat = conn.nat();
    let exchange = ctx.exchange(attempt);
    let before = exchange.map_or(0, |exchange| u64::from(exchange.index()));
    let reused = exchange.is_some_and(Exch::reused);
    let chosen_ns = conn.nat_created_ns();
    let (since_ns, endpoints) = endpoints_at(ctx, chosen_ns.unwrap_or(conn.opened_ns())).unzip();
    let life = ctx.cluster.pod(pod);
    let gateway = ctx.front(request).pod.map(|pod| ctx.pod_name(pod));
    let nat_source = nat.map(|nat| match nat.source {
        NatSource::New => "new",
        NatSource::Reused => "reused",
        NatSource::Dump => "dump",
        NatSource::Direct => "direct",
    });
    let endpoint = |endpoint: &Endpoint| ChoiceEndpoint {
        ip: endpoint.ip.to_string(),
        pod: endpoint.pod.clone(),
        ready: endpoint.ready,
        terminating: endpoint.terminating,
        chosen: nat.map_or(life.ip, |nat| Some(nat.chosen.ip())) == Some(endpoint.ip),
    };
    let endpoints: Vec<ChoiceEndpoint> = endpoints.unwrap_or_default().iter().map(endpoint).collect();
    let mut evidence = ChoiceEvidence {
        trace_id: client.trace_id(),
        seq: client.seq,
        sent_at: ctx.clock.rfc3339(client.sent_ns),
        sent_ns: client.sent_ns,
        gateway_pod: gateway.map(ToOwned::to_owned),
        pod: life.name.to_owned(),
        source: conn.local().to_string(),
        dialled: nat.map_or(conn.remote(), |nat| nat.dialled).to_string(),
        chosen: nat.map(|nat| nat.chosen.to_string()),
        source_seen: nat.map(|nat| nat.source_seen.to_string()),
        chosen_at: chosen_ns.map(|ns| ctx.clock.rfc3339(ns)),
        chosen_ns,
        nat_source: nat_source.map(ToOwned::to_owned),
        connection_reused: reused,
        requests_before_count: before,
        endpoints,
        endpoints_since: since_ns.map(|ns| ctx.clock.rfc3339(ns)),
        explanation: String::new(),
    };
    evidence.explanation = in_words(&evidence);
    Some(evidence)
}

/// The Service's endpoints as the watch had told by then.
fn endpoints_at<'a>(ctx: &Context<'_, 'a>, at_ns: u64) -> Option<(u64, &'a [Endpoint])> {
    let service = &ctx.raw.run.config.upstream_service;
    let told = ctx.raw.timeline.iter().filter(|entry| entry.at_ns <= at_ns).filter_map(|entry| match &entry.subject {
        Subject::Endpoints { service: name, endpoints } if name == service => Some((entry.at_ns, endpoints.as_slice())),
        _ => None,
    });
    told.max_by_key(|(at_ns, _)| *at_ns)
}

fn in_words(evidence: &ChoiceEvidence) -> String {
    let ready = evidence.endpoints.iter().filter(|endpoint| endpoint.ready).count();
    let gateway = evidence.gateway_pod.as_deref().unwrap_or("the gateway");
    let choice = match (evidence.nat_source.as_deref(), &evidence.chosen) {
        (Some("direct"), _) => format!("{gateway} itself chose that pod and dialled it"),
        (Some("reused"), Some(chosen)) => {
            format!("an older conntrack entry of that source port led to {chosen}: no rule was consulted")
        }
        (_, Some(chosen)) => {
            format!("the node's rules translated that to {chosen}, one of {ready} ready endpoints at that moment")
        }
        (_, None) => "where the connection was translated to was not seen".to_owned(),
    };
    let reuse = if evidence.connection_reused {
        let n = evidence.requests_before_count;
        let before = if n == 1 { "1 request".to_owned() } else { format!("{n} requests") };
        format!(" The connection was kept and had carried {before} before: for this request nobody chose.")
    } else {
        " It was the first request on that connection.".to_owned()
    };
    format!(
        "Request {} was served by {}: {gateway} dialled {} from {}; {choice}.{reuse}",
        evidence.seq, evidence.pod, evidence.dialled, evidence.source
    )
}
