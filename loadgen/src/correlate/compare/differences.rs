//! Whether two runs can be compared at all.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::raw::{RunConfig, Schedule};
use crate::report::Hook;
use crate::report::schema::{Difference, DifferenceKind, Report};

/// Two runs of an experiment never last equally long: what it waits for takes its time.
const EQUAL_LENGTHS: f64 = 0.25;

/// What is different about the runs themselves.
pub fn differences(a: &Report, b: &Report) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    factors(a, b, &mut found);
    load(a, b, &mut found);
    place(a, b, &mut found);
    found.0
}

/// What makes the figures of one side doubtful by itself.
pub fn quality(side: &str, report: &Report) -> Vec<Difference> {
    let mut flaws = Vec::new();
    if !report.run.complete {
        flaws.push(format!("run {} is not complete (ended by {})", report.run.id, report.run.ended_by));
    }
    let seen = &report.completeness;
    for (what, count) in [
        ("requests unaccounted for", Some(report.ledger.unaccounted)),
        ("kernel events lost", seen.events_dropped),
        ("joins that disagree", seen.join_conflicts),
    ] {
        if let Some(count) = count.filter(|count| *count > 0) {
            flaws.push(format!("run {}: {count} {what}", report.run.id));
        }
    }
    if report.warnings.iter().any(|warning| warning.contains("stale NAT entries")) {
        flaws.push(format!("run {} began while NAT entries of an earlier run were alive", report.run.id));
    }
    let own = |flaw: String| {
        let (a, b) = if side == "a" { (flaw, "–".to_owned()) } else { ("–".to_owned(), flaw) };
        Difference { what: "quality".to_owned(), a, b, kind: DifferenceKind::Quality }
    };
    flaws.into_iter().map(own).collect()
}

struct Found(Vec<Difference>);

impl Found {
    fn text(&mut self, kind: DifferenceKind, what: &str, a: impl Into<String>, b: impl Into<String>) {
        let (a, b) = (a.into(), b.into());
        if a != b {
            self.0.push(Difference { what: what.to_owned(), a, b, kind });
        }
    }

    fn value<T: Debug + PartialEq>(&mut self, kind: DifferenceKind, what: &str, a: &T, b: &T) {
        if a != b {
            self.text(kind, what, format!("{a:?}"), format!("{b:?}"));
        }
    }

    fn optional(&mut self, kind: DifferenceKind, what: &str, a: Option<&String>, b: Option<&String>) {
        let words = |text: Option<&String>| text.cloned().unwrap_or_else(|| "unknown".to_owned());
        self.text(kind, what, words(a), words(b));
    }

    fn maps(&mut self, kind: DifferenceKind, what: &str, a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) {
        let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let words = |map: &BTreeMap<String, String>| map.get(name).cloned().unwrap_or_else(|| "–".to_owned());
            self.text(kind, &format!("{what} {name}"), words(a), words(b));
        }
    }
}

fn factors(a: &Report, b: &Report, found: &mut Found) {
    use DifferenceKind::Factor;
    found.text(Factor, "experiment", &a.experiment, &b.experiment);
    found.maps(Factor, "setting", &a.config.experiment, &b.config.experiment);
    found.maps(Factor, "image of", &a.environment.images, &b.environment.images);
    let hook = |report: &Report| {
        Hook::of(&report.config, &report.environment).map_or_else(|| "unknown".to_owned(), |hook| hook.to_string())
    };
    found.text(Factor, "hook", hook(a), hook(b));
    if hook(a) == hook(b) && template(a) != template(b) {
        found.text(Factor, "pod template of the serving pods", "as in its report", "another");
    }
    if a.environment.gateway_config != b.environment.gateway_config {
        found.text(Factor, "gateway configuration", "as in its report", "another");
    }
}

/// The template without what a restart or a label writer leaves in it.
fn template(report: &Report) -> Option<serde_json::Value> {
    let mut template = report.environment.upstream_template.clone()?;
    if let Some(metadata) = template.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.remove("annotations");
        metadata.remove("creationTimestamp");
    }
    Some(template)
}

fn load(a: &Report, b: &Report, found: &mut Found) {
    use DifferenceKind::Load;
    let (one, other) = (&a.config, &b.config);
    found.text(Load, "schedule", schedule(&one.schedule), schedule(&other.schedule));
    let seconds = |report: &Report| report.run.ended_ns.saturating_sub(report.run.started_ns) as f64 / 1e9;
    let (short, long) = (seconds(a).min(seconds(b)), seconds(a).max(seconds(b)));
    if long > short * (1.0 + EQUAL_LENGTHS) {
        found.text(Load, "length", format!("{:.1} s", seconds(a)), format!("{:.1} s", seconds(b)));
    }
    found.value(Load, "connection per request", &one.connection_per_request, &other.connection_per_request);
    found.value(Load, "workers", &one.workers, &other.workers);
    found.value(Load, "client's connect timeout in ms", &one.connect_timeout_ms, &other.connect_timeout_ms);
    found.value(Load, "client's timeout in ms", &one.timeout_ms, &other.timeout_ms);
    found.text(Load, "path", path(one), path(other));
}

/// Kind and rates; how long it lasted is another question.
fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Constant { rate_per_s, .. } => format!("{rate_per_s}/s, evenly"),
        Schedule::Poisson { rate_per_s, seed, .. } => format!("{rate_per_s}/s, random gaps of seed {seed}"),
        Schedule::Ramp { from_per_s, to_per_s, .. } => format!("{from_per_s}/s to {to_per_s}/s"),
        Schedule::Steps { steps } => {
            let steps: Vec<String> = steps.iter().map(|(rate, seconds)| format!("{rate}/s for {seconds} s")).collect();
            steps.join(", ")
        }
    }
}

fn path(config: &RunConfig) -> String {
    let rest = config.url.split_once("://").map_or(config.url.as_str(), |(_, rest)| rest);
    rest.find('/').map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned())
}

fn place(a: &Report, b: &Report, found: &mut Found) {
    use DifferenceKind::Place;
    let (one, other) = (&a.environment, &b.environment);
    found.optional(Place, "Kubernetes", one.kubernetes.as_ref(), other.kubernetes.as_ref());
    found.optional(Place, "kube-proxy's mode", one.kube_proxy_mode.as_ref(), other.kube_proxy_mode.as_ref());
    found.value(Place, "number of nodes", &one.nodes.len(), &other.nodes.len());
    for (at, (one, other)) in one.nodes.iter().zip(&other.nodes).enumerate() {
        let without_name = |node: &BTreeMap<String, String>| {
            node.iter().filter(|(key, _)| *key != "name").map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        found.maps(Place, &format!("node {at}:"), &without_name(one), &without_name(other));
    }
    found.maps(Place, "load generator's host:", &one.host, &other.host);
    found.text(Place, "podwitness", &a.tool, &b.tool);
    let observed = |report: &Report| if report.observer_cost.is_some() { "observed" } else { "without observer" };
    found.text(Place, "observer", observed(a), observed(b));
}
