//! Steps 2 to 7: what can be measured of their questions, from looks at the lab and from runs.

use super::Step;
use crate::report::schema::{Measured, Report, Source, Verdict};
use crate::verify::Verified;
use crate::verify::check::names::{full_name, tried};
use crate::verify::environment::environment;
use crate::verify::facts::{Facts, Half, Lookup};

/// Those that can be measured or derived; the others ask for reasons alone.
pub const QUESTIONS: [Step; 5] = [
    ("Q2", &[("Q2.2", "What is the full DNS name that other pods can use to reach this service?")]),
    (
        "Q4",
        &[
            ("Q4.1", "Which components does a request pass through on its way to the model and back?"),
            ("Q4.2", "With two replicas, which pod handles the request, and how is this decided?"),
        ],
    ),
    (
        "Q5",
        &[
            ("Q5.1", "What address does ml-inference-service resolve to: a pod's or something else?"),
            ("Q5.2", "What does the search directive in /etc/resolv.conf do, and why is it useful?"),
            ("Q5.3", "Does the DNS record change when the service is scaled to five replicas?"),
        ],
    ),
    ("Q6", &[("Q6.2", "Which value does the pod receive when both ConfigMaps define the same key?")]),
    ("Q7", &[("Q7.1", "Why are Secrets base64 encoded instead of encrypted, and what does this mean for security?")]),
];

fn verdict(question: &str, source: Source, claim: String) -> Verdict {
    Verdict {
        question: question.to_owned(),
        claim: Some(claim),
        source,
        evidence: Vec::new(),
        advice: Vec::new(),
        not_measured: Vec::new(),
    }
}

fn figure(name: &str, value: f64, text: impl Into<String>) -> Measured {
    Measured { name: name.to_owned(), value: Some(value), text: text.into() }
}

fn text(name: &str, text: impl Into<String>) -> Measured {
    Measured { name: name.to_owned(), value: None, text: text.into() }
}

/// What a run shows of them, unless it answers them itself.
pub fn of_report(report: &Report) -> Vec<Verdict> {
    let open = |question: &str| report.verdicts.iter().all(|verdict| verdict.question != question);
    let mut verdicts = Vec::new();
    let measured: Vec<_> = report.hops.iter().filter_map(|hop| Some((hop, hop.latency.as_ref()?))).collect();
    if open("Q4.1") && report.completeness.requests_seen_at_pod.is_some_and(|seen| seen > 0) {
        let mut answer = verdict(
            "Q4.1",
            Source::Measured,
            "client → node port (kube-proxy's rule on the node picks a gateway pod) → gateway pod (nginx) → address of the Service (a rule picks a serving pod) → serving pod, and the same way back; each stretch was timed."
                .to_owned(),
        );
        for (hop, latency) in measured {
            let words = format!("{}: median {:.3} ms", hop.from_to, latency.p50_us as f64 / 1e3);
            answer.evidence.push(figure(&format!("{}_p50_us", hop.name), latency.p50_us as f64, words));
        }
        verdicts.push(answer);
    }
    if let Some(balance) = report.balance.as_ref().filter(|_| open("Q4.2")) {
        let mut answer = verdict(
            "Q4.2",
            Source::Measured,
            format!(
                "Any of them: kube-proxy's rule on the node picks one for each new connection, and all requests of a kept connection go there. Measured: {}.",
                balance.explanation
            ),
        );
        answer.evidence.push(figure(
            "pods_compared_count",
            balance.pods_compared as f64,
            "pods that were ready all the time",
        ));
        answer.evidence.push(figure("connections_count", balance.connections as f64, "connections to them"));
        verdicts.push(answer);
    }
    verdicts
}

/// What each look shows of them. Looks at different numbers of replicas answer Q5.3 together.
pub fn of_verified(all: &[Verified]) -> Vec<Vec<Verdict>> {
    let each = |verified: &Verified| {
        let facts = &verified.facts;
        let mut verdicts: Vec<Verdict> =
            [full_dns_name(facts), way(facts), choice(facts), address(facts), search(facts)]
                .into_iter()
                .flatten()
                .collect();
        verdicts.extend(scaled(facts, all));
        verdicts.extend(duplicate(facts));
        verdicts.extend(secrets(facts));
        verdicts
    };
    all.iter().map(each).collect()
}

fn lookup<'f>(facts: &'f Facts, name: &str) -> Option<&'f Lookup> {
    facts.dns.lookups.iter().find(|lookup| lookup.name == name)
}

fn resolved(facts: &Facts, half: &Half) -> Option<String> {
    lookup(facts, &full_name(facts, &half.service_name))?.addresses.first().cloned()
}

fn without_name_server(mut answer: Verdict, facts: &Facts) -> Verdict {
    answer.source = Source::Documented;
    let why = facts.dns.problem.as_deref().unwrap_or("it was not asked");
    answer.not_measured.push(format!("what the cluster's name server answers: {why}"));
    answer
}

fn full_dns_name(facts: &Facts) -> Option<Verdict> {
    facts.upstream.service.there()?;
    let name = full_name(facts, &facts.upstream.service_name);
    Some(match resolved(facts, &facts.upstream) {
        Some(ip) => {
            let mut answer =
                verdict("Q2.2", Source::Measured, format!("{name}; the cluster's name server answers {ip}."));
            answer.evidence.push(text("dns_answer", format!("{name} → {ip}")));
            answer
        }
        None => without_name_server(verdict("Q2.2", Source::Documented, format!("{name}.")), facts),
    })
}

fn way(facts: &Facts) -> Option<Verdict> {
    let (gateway, upstream) = (facts.gateway.service.there()?, facts.upstream.service.there()?);
    let answer = facts.answer("/predict").filter(|answer| answer.status == Some(200))?;
    let logged = |look: &crate::verify::facts::LogLook| look.found.first().map(|(pod, _)| pod.clone());
    let (at_gateway, at_pod) = (logged(&facts.gateway_log), logged(&facts.upstream_log));
    let port = |service: &crate::verify::facts::ServiceFact| service.ports.first().map_or(0, |port| port.0);
    let unknown = || "one of its pods".to_owned();
    let claim = format!(
        "curl → {} (node port of service/{}: a rule on the node picks a gateway pod) → pod/{} (nginx, location /predict) → {}:{} (address of service/{}: a rule picks a serving pod) → pod/{} (http-echo), and back the same way.",
        answer.url,
        facts.gateway.service_name,
        at_gateway.clone().unwrap_or_else(unknown),
        upstream.cluster_ip.as_deref().unwrap_or("no address"),
        port(upstream),
        facts.upstream.service_name,
        at_pod.clone().unwrap_or_else(unknown),
    );
    let traced = at_gateway.is_some() && at_pod.is_some();
    let mut out = verdict("Q4.1", if traced { Source::Measured } else { Source::Computed }, claim);
    out.evidence.push(text(
        "gateway_address",
        format!("service/{}: {}", facts.gateway.service_name, gateway.cluster_ip.as_deref().unwrap_or("none")),
    ));
    for (name, look) in [("gateway_log", &facts.gateway_log), ("serving_pod_log", &facts.upstream_log)] {
        match look.found.first() {
            Some((pod, line)) => out.evidence.push(text(name, format!("pod/{pod}: {line}"))),
            None => out.not_measured.push(format!("{name}: the marked request is in no log that could be read")),
        }
    }
    Some(out)
}

fn choice(facts: &Facts) -> Option<Verdict> {
    facts.upstream.service.there()?;
    let ready: Vec<&str> = facts.upstream.endpoints.iter().filter(|end| end.ready).map(|end| end.ip.as_str()).collect();
    let mut answer = verdict(
        "Q4.2",
        Source::Documented,
        format!(
            "Any of the {} ready pods: kube-proxy's rule on the node picks one for each new connection, at random in its iptables and nftables modes; all requests of a kept connection go to the same pod.",
            ready.len()
        ),
    );
    answer.evidence.push(figure("ready_endpoints_count", ready.len() as f64, ready.join(", ")));
    if let Some((pod, _)) = facts.upstream_log.found.first() {
        answer.evidence.push(text("pod_of_one_request", format!("one marked request was handled by pod/{pod}")));
    }
    answer.not_measured.push("the shares of the pods: `loadgen balance` and `loadgen steady` measure them".to_owned());
    Some(answer)
}

fn address(facts: &Facts) -> Option<Verdict> {
    let own = facts.upstream.service.there()?.cluster_ip.clone()?;
    let pods: Vec<&str> = facts.upstream.pods.iter().filter_map(|pod| pod.ip.as_deref()).collect();
    let asked = resolved(facts, &facts.upstream);
    let ip = asked.clone().unwrap_or_else(|| own.clone());
    let what =
        if ip == own { "the Service's own address (ClusterIP), no pod's" } else { "not the Service's own address" };
    let claim = format!("{ip}: {what}; its pods have {}. Rules on every node turn it into a pod's.", pods.join(", "));
    let mut answer = verdict("Q5.1", Source::Measured, claim);
    answer.evidence.push(text("cluster_ip", own));
    answer.evidence.push(figure("pods_count", pods.len() as f64, pods.join(", ")));
    Some(if asked.is_some() { answer } else { without_name_server(answer, facts) })
}

fn search(facts: &Facts) -> Option<Verdict> {
    facts.upstream.service.there()?;
    let service = &facts.upstream.service_name;
    let found_elsewhere = tried(&facts.other_namespace, &facts.cluster_domain, service)
        .iter()
        .any(|name| lookup(facts, name).is_some_and(|found| !found.addresses.is_empty()));
    let elsewhere = if found_elsewhere { "leads to a Service of that name there" } else { "is not found" };
    let mut answer = verdict(
        "Q5.2",
        Source::Measured,
        format!(
            "It lists the domains that the resolver puts behind a short name, one after the other: in namespace {} the first, {}.svc.{}, makes {service} complete. So manifests need no namespace in their names, and the same ones work in any. From namespace {} the short name {elsewhere}; {service}.{} leads to this one.",
            facts.namespace, facts.namespace, facts.cluster_domain, facts.other_namespace, facts.namespace
        ),
    );
    for namespace in [&facts.namespace, &facts.other_namespace] {
        for name in tried(namespace, &facts.cluster_domain, service) {
            let Some(found) = lookup(facts, &name) else { continue };
            let said = if found.addresses.is_empty() { found.code.clone() } else { found.addresses.join(", ") };
            answer.evidence.push(text("dns_answer", format!("from {namespace}: {name} → {said}")));
            if !found.addresses.is_empty() {
                break;
            }
        }
    }
    for pod in facts.debug_pods.iter().filter(|pod| pod.problem.is_none()) {
        let line = pod.resolv_conf.lines().find(|line| line.starts_with("search")).unwrap_or("no search line");
        answer.evidence.push(text("resolv_conf", format!("of a pod in {}: {line}", pod.namespace)));
    }
    if facts.debug_pods.iter().all(|pod| pod.problem.is_some()) {
        answer.not_measured.push(
            "a pod's own resolv.conf (--debug-image): the search path is the one that the kubelet writes by default"
                .to_owned(),
        );
    }
    Some(if facts.dns.lookups.is_empty() { without_name_server(answer, facts) } else { answer })
}

fn scaled(facts: &Facts, all: &[Verified]) -> Option<Verdict> {
    let now = resolved(facts, &facts.upstream);
    let own = facts.upstream.service.there()?.cluster_ip.clone()?;
    let ready = |facts: &Facts| facts.upstream.endpoints.iter().filter(|end| end.ready).count();
    let other = all
        .iter()
        .map(|verified| &verified.facts)
        .find(|other| ready(other) != ready(facts) && now.is_some() && resolved(other, &other.upstream) == now);
    let claim = format!(
        "No: the record holds the Service's address, {own}, however many pods there are. Pods come and go in its EndpointSlice, and the rules on the nodes follow that."
    );
    let source = if other.is_some() { Source::Measured } else { Source::Documented };
    let mut answer = verdict("Q5.3", source, claim);
    if let Some(other) = other {
        let text = format!("ready pods in another look, with the same answer {own}");
        answer.evidence.push(figure("other_ready_endpoints_count", ready(other) as f64, text));
    } else {
        answer.not_measured.push(
            "the record at another number of replicas: scale, then `loadgen verify` again, and give both".to_owned(),
        );
    }
    answer.evidence.push(figure("ready_endpoints_count", ready(facts) as f64, "ready pods in this look"));
    if let Some(now) = now {
        answer.evidence.push(text("dns_answer", format!("{} → {now}", facts.upstream.service_name)));
    }
    Some(answer)
}

fn duplicate(facts: &Facts) -> Option<Verdict> {
    let deployment = facts.upstream.deployment.there()?;
    let tried = facts.debug_pods.iter().find_map(|pod| pod.duplicate_key.as_deref());
    let order: Vec<&str> = deployment.env_from.iter().map(|from| from.name.as_str()).collect();
    let here = match order.last() {
        Some(last) if order.len() > 1 => format!(
            " In deployment/{} that is {last} (envFrom: {}).",
            facts.upstream.deployment_name,
            order.join(", then ")
        ),
        _ => String::new(),
    };
    let mut answer = match tried {
        Some("second") => verdict(
            "Q6.2",
            Source::Measured,
            format!(
                "That of the last one in envFrom: a pod with two ConfigMaps that set one name got the second's value.{here} A name in `env` wins over both."
            ),
        ),
        Some(which) => verdict(
            "Q6.2",
            Source::Measured,
            format!("That of the {which} one in envFrom, as a pod with two ConfigMaps that set one name showed."),
        ),
        None => {
            let mut answer = verdict(
                "Q6.2",
                Source::Documented,
                format!("That of the last one in envFrom.{here} A name in `env` wins over both."),
            );
            answer.not_measured.push(
                "a pod with two ConfigMaps that set one name: `loadgen verify --debug-image IMAGE` tries it".to_owned(),
            );
            answer
        }
    };
    for (name, variable) in environment(deployment, facts).into_iter().filter(|(_, v)| !v.overridden.is_empty()) {
        answer.evidence.push(text(
            "duplicate",
            format!("{name}: {} wins over {}", variable.source, variable.overridden.join(", ")),
        ));
    }
    Some(answer)
}

fn secrets(facts: &Facts) -> Option<Verdict> {
    let read: Vec<(&String, usize)> =
        facts.secrets.iter().filter_map(|(name, secret)| Some((name, secret.there()?.len()))).collect();
    if read.is_empty() {
        return None;
    }
    let values: usize = read.iter().map(|(_, values)| values).sum();
    let mut answer = verdict(
        "Q7.1",
        Source::Measured,
        format!(
            "base64 makes any bytes fit into JSON and YAML; it is no encryption, and whoever may read a Secret has its value: {values} values of {} Secrets were read through the API and decoded without any key. What protects them is who may read them (RBAC), and encryption at rest where it is switched on.",
            read.len()
        ),
    );
    for (name, values) in read {
        answer.evidence.push(figure(
            "values_decoded_count",
            values as f64,
            format!("secret/{name}: {values} values decoded"),
        ));
    }
    answer
        .not_measured
        .push("whether the API server encrypts Secrets at rest: that is not visible through the API".to_owned());
    Some(answer)
}
