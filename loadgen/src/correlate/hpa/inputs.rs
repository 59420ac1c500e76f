//! What an autoscaler could see at a moment: pods by their standing, from the watch of pods and the metrics API.

use std::collections::{BTreeMap, HashMap};

use super::formula::{Pod, Standing};
use crate::raw::scaling::{DeploymentState, PodMetrics, PodUsage, ScaledPod};
use crate::raw::{Subject, TimelineEntry};

/// `--horizontal-pod-autoscaler-cpu-initialization-period`: a young pod's sample counts only when it began after the pod
/// had become ready.
const CPU_INITIALIZATION_S: i64 = 300;
/// `--horizontal-pod-autoscaler-initial-readiness-delay`.
const INITIAL_READINESS_S: i64 = 30;
/// Our watch and the controller's tell of a pod at slightly different times.
const POD_LAGS_NS: [u64; 4] = [0, 150_000_000, 600_000_000, 1_500_000_000];
/// Metrics are asked for once a second: what the controller got may have reached us only after its status.
const METRICS_AHEAD_NS: u64 = 2_500_000_000;

/// Pods and samples over time.
#[derive(Default)]
pub struct Inputs<'a> {
    pods: BTreeMap<&'a str, Vec<(u64, &'a ScaledPod)>>,
    metrics: Vec<(u64, &'a PodMetrics)>,
    selectors: HashMap<String, &'a BTreeMap<String, String>>,
    realtime_minus_monotonic_ns: i128,
}

impl<'a> Inputs<'a> {
    /// Reads a time line, which must be in order of time.
    pub fn new(timeline: &[&'a TimelineEntry], realtime_minus_monotonic_ns: i128) -> Self {
        let mut inputs = Self { realtime_minus_monotonic_ns, ..Self::default() };
        for entry in timeline {
            match &entry.subject {
                Subject::ScaledPod(pod) => inputs.pods.entry(&pod.uid).or_default().push((entry.at_ns, pod)),
                Subject::PodMetrics(metrics) if metrics.error.is_none() => inputs.metrics.push((entry.at_ns, metrics)),
                Subject::Deployment(DeploymentState { name, selector, .. }) => {
                    inputs.selectors.insert(format!("deployment/{name}"), selector);
                }
                _ => {}
            }
        }
        inputs
    }

    /// Every view of `target`'s pods that a sync at `at_ns` may have had, the likeliest first. `None` in a view: a pod
    /// requests no CPU, so that there is nothing to divide by.
    pub fn views(&self, target: &str, at_ns: u64) -> Vec<Option<Vec<Pod>>> {
        let Some(selector) = self.selectors.get(target) else { return Vec::new() };
        let next = self.metrics.partition_point(|(known_ns, _)| *known_ns <= at_ns);
        let before = self.metrics[..next].iter().rev().take(2);
        let after =
            self.metrics[next..].iter().take_while(|(known_ns, _)| *known_ns <= at_ns + METRICS_AHEAD_NS).take(2);
        let last = self.metrics[..next].last().map(|(_, metrics)| *metrics);
        let mut views: Vec<Option<Vec<Pod>>> = Vec::new();
        // A pod that had a sample before and has none afterwards has ended in between: it is likelier that its sample was there than that
        // the controller missed it.
        let after = after.flat_map(|(_, metrics)| [(*metrics, last), (*metrics, None)]);
        for (metrics, last) in before.map(|(_, metrics)| (*metrics, None)).chain(after) {
            for lag_ns in POD_LAGS_NS {
                let view = self.view(selector, at_ns.saturating_sub(lag_ns), metrics, last);
                if !views.contains(&view) {
                    views.push(view);
                }
            }
        }
        views
    }

    /// Pods that `before` has a sample of and `metrics` has none of count as unseen.
    fn view(
        &self,
        selector: &BTreeMap<String, String>,
        at_ns: u64,
        metrics: &'a PodMetrics,
        before: Option<&'a PodMetrics>,
    ) -> Option<Vec<Pod>> {
        let now_s = i64::try_from((i128::from(at_ns) + self.realtime_minus_monotonic_ns) / 1_000_000_000).ok()?;
        let mut pods = Vec::new();
        for states in self.pods.values() {
            let Some((_, pod)) = states.iter().rev().find(|(known_ns, _)| *known_ns <= at_ns) else { continue };
            if pod.deleted || !selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value)) {
                continue;
            }
            let usage = |metrics: &'a PodMetrics| metrics.pods.iter().find(|usage| usage.pod == pod.name);
            let standing = match standing(pod, usage(metrics), now_s) {
                Standing::Missing if before.and_then(usage).is_some() => Standing::Unseen,
                standing => standing,
            };
            pods.push(Pod { standing, request_milli: pod.cpu_request_milli? });
        }
        Some(pods)
    }

    /// From one sample of a pod to its next, and each sample's window, both in milliseconds.
    pub fn sampling(&self) -> (Vec<u64>, Vec<u64>) {
        let (mut gaps, mut windows) = (Vec::new(), Vec::new());
        let mut last: HashMap<&str, i64> = HashMap::new();
        for usage in self.metrics.iter().flat_map(|(_, metrics)| &metrics.pods) {
            let before = last.insert(&usage.pod, usage.at_s);
            if before != Some(usage.at_s) {
                windows.push(usage.window_ms);
                gaps.extend(before.and_then(|before| u64::try_from((usage.at_s - before) * 1_000).ok()));
            }
        }
        (gaps, windows)
    }

    /// When the metrics API first told, after `from_ns`, of a use of `target`'s pods above `percent` of their requests,
    /// or, with `below`, of one that is lower.
    pub fn first_beyond(&self, target: &str, from_ns: u64, percent: f64, below: bool) -> Option<u64> {
        let selector = self.selectors.get(target)?;
        self.metrics.iter().filter(|(known_ns, _)| *known_ns > from_ns).find_map(|(known_ns, metrics)| {
            let pods = self.view(selector, *known_ns, metrics, None)?;
            let (mut used, mut requested) = (0, 0);
            for pod in &pods {
                if let Standing::Measured(milli) = pod.standing {
                    used += milli;
                    requested += pod.request_milli;
                }
            }
            let seen = (requested > 0).then(|| used as f64 * 100.0 / requested as f64)?;
            (if below { seen < percent } else { seen > percent }).then_some(*known_ns)
        })
    }
}

/// The controller's own sorting of pods (`groupPods`).
pub fn standing(pod: &ScaledPod, usage: Option<&PodUsage>, now_s: i64) -> Standing {
    if pod.terminating || pod.phase == "Failed" {
        return Standing::Ignored;
    }
    if pod.phase == "Pending" {
        return Standing::Unready;
    }
    let Some(usage) = usage else { return Standing::Missing };
    let (Some(ready), Some(changed_s), Some(started_s)) = (pod.ready, pod.ready_changed_s, pod.started_s) else {
        return Standing::Unready;
    };
    let unready = if started_s + CPU_INITIALIZATION_S > now_s {
        let whole_window =
            usage.at_s * 1_000 >= changed_s * 1_000 + i64::try_from(usage.window_ms).unwrap_or(i64::MAX / 2);
        !ready || !whole_window
    } else {
        !ready && started_s + INITIAL_READINESS_S > changed_s
    };
    if unready { Standing::Unready } else { Standing::Measured(usage.cpu_milli) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> ScaledPod {
        ScaledPod {
            phase: "Running".into(),
            ready: Some(true),
            ready_changed_s: Some(1_010),
            started_s: Some(1_005),
            ..ScaledPod::default()
        }
    }

    #[test]
    fn pods_are_sorted_as_the_controller_sorts_them() {
        let usage = |at_s| PodUsage { at_s, window_ms: 10_000, cpu_milli: 7, ..PodUsage::default() };
        let of = |pod: ScaledPod, at_s, now_s| standing(&pod, Some(&usage(at_s)), now_s);
        assert_eq!(of(pod(), 1_020, 1_021), Standing::Measured(7), "a whole window after it became ready");
        assert_eq!(of(pod(), 1_019, 1_021), Standing::Unready, "its sample began before it was ready");
        assert_eq!(of(pod(), 1_019, 1_305), Standing::Measured(7), "after five minutes that no longer matters");
        assert_eq!(of(ScaledPod { ready: Some(false), ..pod() }, 1_020, 1_021), Standing::Unready);
        let lost = ScaledPod { ready: Some(false), ready_changed_s: Some(1_200), ..pod() };
        assert_eq!(of(lost, 1_400, 1_400), Standing::Measured(7), "it has been ready once");
        assert_eq!(of(ScaledPod { phase: "Pending".into(), ..pod() }, 1_020, 1_021), Standing::Unready);
        assert_eq!(of(ScaledPod { terminating: true, ..pod() }, 1_020, 1_021), Standing::Ignored);
        assert_eq!(standing(&pod(), None, 1_021), Standing::Missing);
    }
}
