//! Step 5: names and addresses.

use super::{Check, of};
use crate::verify::facts::{DebugPod, Facts, Half, Lookup};

/// The whole name of a Service.
pub fn full_name(facts: &Facts, service: &str) -> String {
    format!("{service}.{}.svc.{}", facts.namespace, facts.cluster_domain)
}

/// What a resolver in a namespace tries for a short name, in order: the search path that the kubelet writes for pods.
pub fn tried(namespace: &str, domain: &str, name: &str) -> Vec<String> {
    vec![format!("{name}.{namespace}.svc.{domain}"), format!("{name}.svc.{domain}"), format!("{name}.{domain}")]
}

/// 5.2 and 5.3.
pub fn names(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        resolves(facts, &facts.upstream),
        resolves(facts, &facts.gateway),
        search_path(facts, &facts.namespace, true),
        search_path(facts, &facts.other_namespace, false),
    ];
    checks.extend(facts.debug_pods.iter().map(|pod| from_inside(facts, pod)));
    checks
}

fn by_hand(namespace: &str, name: &str) -> String {
    format!("kubectl run dns-check --image=busybox:1.36 --rm -it --restart=Never -n {namespace} -- nslookup {name}")
}

fn lookup<'f>(facts: &'f Facts, name: &str) -> Option<&'f Lookup> {
    facts.dns.lookups.iter().find(|lookup| lookup.name == name)
}

fn not_asked(check: Check, facts: &Facts, namespace: &str, name: &str) -> Check {
    let why = facts.dns.problem.as_deref().unwrap_or("the name server was not asked");
    check.not_checked(why).by_hand(by_hand(namespace, name))
}

/// The name leads to the Service's own address, and not to a pod's.
fn resolves(facts: &Facts, half: &Half) -> Check {
    let name = full_name(facts, &half.service_name);
    let check = of(5, "5.2", format!("DNS name {name}"));
    let Some(found) = lookup(facts, &name) else { return not_asked(check, facts, &facts.namespace, &name) };
    let ip = half.service.there().and_then(|service| service.cluster_ip.clone());
    let redo = "kubectl get pods,endpointslices -n kube-system -l k8s-app=kube-dns";
    let pods: Vec<&str> = half.pods.iter().filter_map(|pod| pod.ip.as_deref()).collect();
    match (&ip, found.addresses.as_slice()) {
        (_, []) => check.fail(format!("the name server says {}", found.code), redo),
        (Some(ip), addresses) if addresses.iter().any(|address| address == ip) => check.pass(format!(
            "{ip}: the Service's own address, none of its pods' ({})",
            if pods.is_empty() { "there are none".to_owned() } else { pods.join(", ") }
        )),
        (_, addresses) => check.fail(
            format!(
                "it leads to {}, the Service's address is {}",
                addresses.join(", "),
                ip.as_deref().unwrap_or("unknown")
            ),
            redo,
        ),
    }
}

/// From the lab's namespace the short name is found by the first entry of the search path; from another one by none.
fn search_path(facts: &Facts, namespace: &str, own: bool) -> Check {
    let service = &facts.upstream.service_name;
    let check = of(5, if own { "5.2" } else { "5.3" }, format!("short name {service} from namespace {namespace}"));
    let names = tried(namespace, &facts.cluster_domain, service);
    // A resolver stops at the first name that is found.
    let mut answers: Vec<&Lookup> = Vec::new();
    for name in &names {
        let Some(lookup) = lookup(facts, name) else { break };
        answers.push(lookup);
        if !lookup.addresses.is_empty() {
            break;
        }
    }
    let Some(last) = answers.last().filter(|last| answers.len() == names.len() || !last.addresses.is_empty()) else {
        return not_asked(check, facts, namespace, service);
    };
    let ways: Vec<String> = answers
        .iter()
        .map(|lookup| {
            let said = if lookup.addresses.is_empty() { lookup.code.clone() } else { lookup.addresses.join(", ") };
            format!("{} → {said}", lookup.name)
        })
        .collect();
    let ways = ways.join("; ");
    match (own, last.addresses.is_empty()) {
        (true, false) => check.pass(format!("found: {ways}")),
        (false, true) => check.pass(format!("not found, as it must be: {ways}")),
        (true, true) => check.fail(format!("not found: {ways}"), by_hand(namespace, service)),
        (false, false) => check
            .fail(format!("found, by a Service of that name in another place: {ways}"), by_hand(namespace, service)),
    }
}

/// The same, asked by a pod's own resolver.
fn from_inside(facts: &Facts, pod: &DebugPod) -> Check {
    let service = &facts.upstream.service_name;
    let check = of(5, "5.3", format!("names as a pod in namespace {} sees them", pod.namespace));
    if let Some(problem) = &pod.problem {
        return check.not_checked(problem).by_hand(by_hand(&pod.namespace, service));
    }
    let found =
        |name: &str| pod.lookups.iter().find(|(asked, _)| asked == name).map(|(_, addresses)| addresses.clone());
    let search = pod.resolv_conf.lines().find(|line| line.starts_with("search")).unwrap_or("no search line").to_owned();
    let (short, whole) = (found(service), found(&full_name(facts, service)));
    let (Some(short), Some(whole)) = (short, whole) else {
        return check.not_checked("its output is not understood").by_hand(by_hand(&pod.namespace, service));
    };
    let own = pod.namespace == facts.namespace;
    let words = format!(
        "{search}; {service} → {}; the whole name → {}",
        if short.is_empty() { "not found".to_owned() } else { short.join(", ") },
        if whole.is_empty() { "not found".to_owned() } else { whole.join(", ") }
    );
    if !whole.is_empty() && short.is_empty() != own {
        check.pass(words)
    } else {
        check.fail(words, by_hand(&pod.namespace, service))
    }
}
