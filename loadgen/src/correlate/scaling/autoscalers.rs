//! Every autoscaler of the namespace: its syncs, and where its metrics come from.

use std::collections::BTreeMap;

use crate::correlate::clock::{WallClock, ms_between};
use crate::correlate::hpa::inputs::Inputs;
use crate::correlate::hpa::syncs::{Sync, count, down_window_s, shortest_interval_ns, status_changes, syncs};
use crate::raw::scaling::AutoscalerState;
use crate::raw::{Subject, TimelineEntry};
use crate::report::schema::{AutoscalerReport, AutoscalerSync, FormulaAgreement, MetricsSource};

/// `--horizontal-pod-autoscaler-sync-period`.
const DEFAULT_SYNC_NS: u64 = 15_000_000_000;
/// `--metric-resolution` of metrics-server, and of minikube's addon.
const DEFAULT_METRICS_S: f64 = 60.0;

/// One autoscaler's history.
pub struct Watched<'a> {
    /// Its last state.
    pub last: &'a AutoscalerState,
    /// Its syncs.
    pub syncs: Vec<Sync<'a>>,
    interval_ns: Option<u64>,
}

/// All of them, by name.
pub fn watched<'a>(timeline: &[&'a TimelineEntry], inputs: &Inputs<'_>) -> Vec<Watched<'a>> {
    let mut states: BTreeMap<(&str, &str), Vec<(u64, &AutoscalerState)>> = BTreeMap::new();
    for entry in timeline {
        if let Subject::Autoscaler(state) = &entry.subject
            && !state.deleted
        {
            states.entry((&state.name, &state.uid)).or_default().push((entry.at_ns, state));
        }
    }
    let changes: Vec<_> = states.values().map(|states| status_changes(states)).collect();
    // One controller serves them all: what one shows of its period holds for the others. Its first sync follows its creation and not
    // the period, so that the interval behind it counts only where there is no other.
    let shortest = |from: usize| changes.iter().filter_map(|it| shortest_interval_ns(it.get(from..)?)).min();
    let period_ns = shortest(1).or_else(|| shortest(0));
    changes
        .iter()
        .filter_map(|changes| {
            let (_, last) = changes.last()?;
            Some(Watched {
                last,
                syncs: syncs(changes, inputs, period_ns.unwrap_or(DEFAULT_SYNC_NS)),
                interval_ns: shortest_interval_ns(changes.get(1..).unwrap_or_default()),
            })
        })
        .collect()
}

/// For the report.
pub fn report(watched: &Watched<'_>, clock: WallClock, started_ns: u64) -> AutoscalerReport {
    let state = watched.last;
    let mut agreement = FormulaAgreement::default();
    for sync in &watched.syncs {
        match sync.agrees {
            None => agreement.not_comparable += 1,
            Some(agrees) => {
                agreement.compared += 1;
                agreement.agreed += u64::from(agrees);
                agreement.disagreed += u64::from(!agrees);
                agreement.agreed_at_an_edge += u64::from(agrees && sync.at_an_edge);
            }
        }
    }
    AutoscalerReport {
        name: state.name.clone(),
        target: state.target.clone(),
        min_replicas: state.min_replicas,
        max_replicas: state.max_replicas,
        target_percent: state.target_percent,
        down_window_s: down_window_s(state),
        highest_percent: watched.syncs.iter().filter_map(|sync| sync.state.cpu_percent).max(),
        most_desired: watched
            .syncs
            .iter()
            .map(|sync| sync.state.desired_replicas)
            .fold(state.desired_replicas, i32::max),
        sync_interval_s: watched.interval_ns.map(seconds),
        syncs: watched.syncs.iter().map(|sync| one(sync, clock, started_ns)).collect(),
        agreement,
    }
}

fn one(sync: &Sync<'_>, clock: WallClock, started_ns: u64) -> AutoscalerSync {
    let counted = sync.pods.as_deref().map(count);
    AutoscalerSync {
        at: clock.rfc3339(sync.at_ns),
        at_ns: sync.at_ns,
        after_start_ms: ms_between(started_ns, sync.at_ns),
        current_replicas: sync.state.current_replicas,
        percent: sync.state.cpu_percent,
        ready_pods: counted.map(|(ready, ..)| ready),
        unready_pods: counted.map(|(_, unready, _)| unready),
        missing_pods: counted.map(|(.., missing)| missing),
        asked_replicas: sync.asked,
        predicted_replicas: sync.predicted.map(|decision| decision.replicas),
        desired_replicas: sync.state.desired_replicas,
        agrees: sync.agrees,
        explanation: sync.explanation.clone(),
    }
}

fn seconds(ns: u64) -> f64 {
    (ns as f64 / 1e7).round() / 100.0
}

/// Which profile is in force, as far as time stamps tell.
pub fn metrics(inputs: &Inputs<'_>, watched: &[Watched<'_>]) -> Option<MetricsSource> {
    let (gaps, windows) = inputs.sampling();
    if windows.is_empty() {
        return None;
    }
    let interval_s = median(&gaps).map(|ms| ms / 1_000.0);
    let window_s = median(&windows).map(|ms| ms / 1_000.0);
    let sync_interval_s = watched.iter().filter_map(|one| one.interval_ns).min().map(seconds);
    let metrics = match interval_s {
        None => "less than two samples of any pod: their interval is not measured".to_owned(),
        Some(s) if s >= DEFAULT_METRICS_S * 0.9 => {
            format!("a sample every {s:.0} s (the default of metrics-server and of minikube's addon is 60 s)")
        }
        Some(s) => format!("a sample every {s:.0} s (faster than the default of metrics-server, 60 s)"),
    };
    let syncs = match sync_interval_s {
        None => "the period of its syncs is not measured".to_owned(),
        Some(s) if s < 14.0 => {
            format!("syncs at most {s:.1} s apart (faster than the controller's default of 15 s)")
        }
        Some(s) => format!("syncs that left a trace at least {s:.1} s apart (the controller's default is 15 s)"),
    };
    Some(MetricsSource {
        interval_s,
        window_s,
        samples: windows.len() as u64,
        sync_interval_s,
        profile: format!("{metrics}; {syncs}"),
    })
}

fn median(values: &[u64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper as f64 } else { (sorted[middle - 1] + upper) as f64 / 2.0 })
}
