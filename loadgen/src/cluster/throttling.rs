//! CPU throttling of pods, from the kubelet's own metrics, where they may be read.

use std::collections::BTreeMap;

use kube::Client;

use super::Timeline;
use crate::raw::Subject;

const PERIODS: &str = "container_cpu_cfs_throttled_periods_total";
const SECONDS: &str = "container_cpu_cfs_throttled_seconds_total";

/// One pod's throttling so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Throttled {
    /// Pod.
    pub pod: String,
    /// Periods.
    pub periods: u64,
    /// Time.
    pub us: u64,
}

/// Reads all pods of a namespace on these nodes, and puts them on the time line. The sentence says why not.
pub async fn read(client: &Client, nodes: &[String], namespace: &str, timeline: &Timeline) -> Result<usize, String> {
    let mut pods = 0;
    for node in nodes {
        let path = format!("/api/v1/nodes/{node}/proxy/metrics/cadvisor");
        let request = hyper::Request::get(&path).body(Vec::new()).map_err(|e| e.to_string())?;
        let text = client.request_text(request).await.map_err(|e| super::connect::words(&e))?;
        for (uid, seen) in parse(&text, namespace) {
            timeline.push(Subject::Throttling {
                pod: seen.pod,
                uid,
                throttled_periods: seen.periods,
                throttled_us: seen.us,
            });
            pods += 1;
        }
    }
    Ok(pods)
}

/// By pod UID: the sum over the pod's containers, or the pod's own cgroup where containers are not told.
fn parse(text: &str, namespace: &str) -> BTreeMap<String, Throttled> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let (mut of_pods, mut of_containers) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines().filter(|line| line.starts_with(PERIODS) || line.starts_with(SECONDS)) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once('}') else { continue };
        let label = |name: &str| {
            let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
            labels[start..].split('"').next()
        };
        let Some((uid, is_container)) = label("id").and_then(uid) else { continue };
        let Some(value) = value.split_whitespace().next().and_then(|value| value.parse::<f64>().ok()) else { continue };
        if let (Some(pod), true) = (label("pod"), label("namespace") == Some(namespace)) {
            names.insert(uid.clone(), pod.to_owned());
        }
        // The pause container is held to no limit.
        if label("container") == Some("POD") {
            continue;
        }
        let level: &mut BTreeMap<String, Throttled> = if is_container { &mut of_containers } else { &mut of_pods };
        let seen = level.entry(uid).or_default();
        if name == PERIODS {
            seen.periods += value as u64;
        } else {
            seen.us += (value * 1e6).round() as u64;
        }
    }
    names
        .into_iter()
        .filter_map(|(uid, pod)| {
            let seen = of_containers.remove(&uid).or_else(|| of_pods.remove(&uid))?;
            Some((uid, Throttled { pod, ..seen }))
        })
        .collect()
}

/// The pod UID in a cgroup path, and whether the path goes on to a container; in either driver's spelling:
/// `/kubepods/burstable/podUID/…`, `/kubepods.slice/kubepods-burstable-podUID_WITH_UNDERSCORES.slice/…`.
fn uid(id: &str) -> Option<(String, bool)> {
    let mut parts = id.split('/');
    let uid = parts.find_map(|part| {
        let at = part.rfind("pod").filter(|_| part.starts_with("pod") || part.starts_with("kubepods"))?;
        let uid = part[at + 3..].trim_end_matches(".slice");
        (uid.len() == 36 || uid.len() == 32).then(|| uid.replace('_', "-"))
    })?;
    Some((uid, parts.next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f";

    #[test]
    fn containers_are_summed_by_pod_and_the_pods_own_line_is_not_added() {
        let id = format!("/kubepods/burstable/pod{UID}");
        let text = format!(
            "{PERIODS}{{container=\"\",id=\"{id}\",namespace=\"n\",pod=\"p\"}} 9 1\n\
             {PERIODS}{{container=\"a\",id=\"{id}/x\",namespace=\"n\",pod=\"p\"}} 4 1\n\
             {PERIODS}{{container=\"b\",id=\"{id}/y\",namespace=\"n\",pod=\"p\"}} 6 1\n\
             {SECONDS}{{container=\"a\",id=\"{id}/x\",namespace=\"n\",pod=\"p\"}} 0.25 1\n"
        );
        let pods = parse(&text, "n");
        assert_eq!(pods.get(UID), Some(&Throttled { pod: "p".into(), periods: 10, us: 250_000 }));
        assert!(parse(&text, "other").is_empty());
    }

    #[test]
    fn containers_without_labels_are_found_by_their_cgroup() {
        let id = format!("/node0/kubepods/burstable/pod{UID}");
        let text = format!(
            "{PERIODS}{{container=\"\",id=\"{id}\",namespace=\"n\",pod=\"p\"}} 1 1\n\
             {PERIODS}{{container=\"\",id=\"{id}/x\",namespace=\"\",pod=\"\"}} 7 1\n"
        );
        assert_eq!(parse(&text, "n").get(UID).map(|seen| seen.periods), Some(7));
    }

    #[test]
    fn the_systemd_drivers_spelling_is_understood() {
        let slice = format!("kubepods-burstable-pod{}.slice", UID.replace('-', "_"));
        let path = format!("/kubepods.slice/kubepods-burstable.slice/{slice}");
        assert_eq!(uid(&path), Some((UID.to_owned(), false)));
        assert_eq!(uid(&format!("{path}/x")), Some((UID.to_owned(), true)));
    }
}
