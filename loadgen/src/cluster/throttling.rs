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

/// By pod UID: the sum over the pod's containers.
fn parse(text: &str, namespace: &str) -> BTreeMap<String, Throttled> {
    let mut pods: BTreeMap<String, Throttled> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with(PERIODS) || line.starts_with(SECONDS)) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once('}') else { continue };
        let label = |name: &str| {
            let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
            labels[start..].split('"').next()
        };
        let (Some(pod), Some(container), Some(id)) = (label("pod"), label("container"), label("id")) else { continue };
        // The pod's own cgroup repeats the sum of its containers; those have a name.
        if label("namespace") != Some(namespace) || container.is_empty() || container == "POD" {
            continue;
        }
        let Some(uid) = uid(id) else { continue };
        let Some(value) = value.split_whitespace().next().and_then(|value| value.parse::<f64>().ok()) else { continue };
        let seen = pods.entry(uid).or_default();
        pod.clone_into(&mut seen.pod);
        if name == PERIODS {
            seen.periods += value as u64;
        } else {
            seen.us += (value * 1e6) as u64;
        }
    }
    pods
}

/// The pod UID in a cgroup path, in either driver's spelling: `/kubepods/burstable/podUID/…`,
/// `/kubepods.slice/kubepods-burstable-podUID_WITH_UNDERSCORES.slice/…`.
fn uid(id: &str) -> Option<String> {
    let part = id.split('/').find_map(|part| {
        let at = part.rfind("pod").filter(|_| part.starts_with("pod") || part.starts_with("kubepods"))?;
        let uid = part[at + 3..].trim_end_matches(".slice");
        (uid.len() == 36 || uid.len() == 32).then_some(uid)
    })?;
    Some(part.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_summed_by_pod_and_the_pods_own_line_is_not_added() {
        let id = "/kubepods/burstable/pod0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f";
        let text = format!(
            "{PERIODS}{{container=\"\",id=\"{id}\",namespace=\"n\",pod=\"p\"}} 9 1\n\
             {PERIODS}{{container=\"a\",id=\"{id}/x\",namespace=\"n\",pod=\"p\"}} 4 1\n\
             {PERIODS}{{container=\"b\",id=\"{id}/y\",namespace=\"n\",pod=\"p\"}} 5 1\n\
             {SECONDS}{{container=\"a\",id=\"{id}/x\",namespace=\"n\",pod=\"p\"}} 0.25 1\n\
             {SECONDS}{{container=\"a\",id=\"{id}/x\",namespace=\"other\",pod=\"q\"}} 7 1\n"
        );
        let pods = parse(&text, "n");
        let wanted = Throttled { pod: "p".into(), periods: 9, us: 250_000 };
        assert_eq!(pods.get("0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"), Some(&wanted));
        assert_eq!(pods.len(), 1);
    }

    #[test]
    fn the_systemd_drivers_spelling_is_understood() {
        let id = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0a1b_0a1b_0a1b_0a1b2c3d4e5f.slice/x";
        assert_eq!(uid(id).as_deref(), Some("0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"));
    }
}
