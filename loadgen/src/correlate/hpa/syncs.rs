//! Every sync that left a trace in an autoscaler's status, with the formula computed again and held against it.

use std::cmp::Ordering;

use super::formula::{NoAnswer, Pod, Reason, Recommendation, Standing, Tolerance, recommend, with_unseen};
use super::inputs::Inputs;
use super::limits::{DEFAULT_DOWN_WINDOW_S, Decision, HeldBy, History, Moment, Past, decide};
use crate::raw::scaling::AutoscalerState;

/// A window's edge is known to this: our stamp of a status is a little later than the sync itself, and never by the same.
const EDGE_NS: i64 = 500_000_000;

/// After this, all watches have told what was there.
const FIRST_LOOK_NS: u64 = 2_000_000_000;

/// One sync.
#[derive(Clone, Debug, PartialEq)]
pub struct Sync<'a> {
    /// When its status was seen.
    pub at_ns: u64,
    /// The status.
    pub state: &'a AutoscalerState,
    /// Pods by standing, as far as they are known.
    pub pods: Option<Vec<Pod>>,
    /// What the formula asks for.
    pub asked: Option<i32>,
    /// What follows from it.
    pub predicted: Option<Decision>,
    /// The prediction is the decision. `None`: not compared.
    pub agrees: Option<bool>,
    /// They only agree when a window's edge, or a pod's change, lies within what we cannot tell apart.
    pub at_an_edge: bool,
    /// In words.
    pub explanation: String,
}

/// The states of one autoscaler that differ in their status: the first is where we came in.
pub fn status_changes<'a>(states: &[(u64, &'a AutoscalerState)]) -> Vec<(u64, &'a AutoscalerState)> {
    let mut changes: Vec<(u64, &AutoscalerState)> = Vec::new();
    for (at_ns, state) in states {
        let status = |state: &AutoscalerState| {
            let AutoscalerState { current_replicas, desired_replicas, cpu_percent, cpu_average_milli, .. } =
                state.clone();
            (
                current_replicas,
                desired_replicas,
                cpu_percent,
                cpu_average_milli,
                state.last_scale_at.clone(),
                state.conditions.clone(),
            )
        };
        if changes.last().is_none_or(|(_, last)| status(last) != status(state)) {
            changes.push((*at_ns, state));
        }
    }
    changes
}

/// Shortest time between two syncs: two stamps of one sync are closer than any.
pub fn shortest_interval_ns(changes: &[(u64, &AutoscalerState)]) -> Option<u64> {
    changes.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|ns| *ns > 900_000_000).min()
}

/// Holds the formula against each sync but the first, which only tells where things stood. `period_ns`: from one sync to
/// the next.
pub fn syncs<'a>(changes: &[(u64, &'a AutoscalerState)], inputs: &Inputs<'_>, period_ns: u64) -> Vec<Sync<'a>> {
    let mut history = History::default();
    let mut syncs = Vec::new();
    let Some((first_ns, _)) = changes.first() else { return syncs };
    // What was asked for before is not known.
    let mut known_from_ns = *first_ns;
    for (position, (at_ns, state)) in changes.iter().enumerate() {
        // Syncs that left no trace asked for what the last one that did had asked for.
        if let Some(last) = history.asked.last_mut() {
            last.last_ns = last.last_ns.max(at_ns.saturating_sub(period_ns));
        }
        // The first state was written some time before the watches began: pods and metrics became known a little later.
        let look_ns = if position == 0 { at_ns + FIRST_LOOK_NS } else { *at_ns };
        let sync = judge(look_ns, state, inputs, &history, known_from_ns);
        let asked = if position == 0 { asked_at_first(look_ns, state, inputs) } else { sync.asked };
        match asked {
            Some(replicas) => history.asked.push(Past { first_ns: *at_ns, last_ns: *at_ns, replicas }),
            // Until the next one.
            None => known_from_ns = changes.get(position + 1).map_or(known_from_ns, |(next_ns, _)| *next_ns),
        }
        if position > 0 {
            if state.desired_replicas != state.current_replicas {
                history.changed.push((*at_ns, state.desired_replicas - state.current_replicas));
            }
            syncs.push(sync);
        }
    }
    syncs
}

/// What the formula asked for when we came in. `None`: what the autoscaler saw cannot be found again, or can be read in more than one way.
/// Its own decision says less: it may have been held by what was before.
fn asked_at_first(at_ns: u64, state: &AutoscalerState, inputs: &Inputs<'_>) -> Option<i32> {
    let (target, percent) = state.target_percent.zip(state.cpu_percent)?;
    let candidates = candidates(at_ns, state, inputs, target, percent);
    let (first, _) = candidates.first()?;
    candidates.iter().all(|(other, _)| other.replicas == first.replicas).then_some(first.replicas)
}

fn judge<'a>(
    at_ns: u64,
    state: &'a AutoscalerState,
    inputs: &Inputs<'_>,
    history: &History,
    known_from_ns: u64,
) -> Sync<'a> {
    let mut sync = Sync {
        at_ns,
        state,
        pods: None,
        asked: None,
        predicted: None,
        agrees: None,
        at_an_edge: false,
        explanation: String::new(),
    };
    let Some((target, percent)) =
        state.target_percent.zip(state.cpu_percent).filter(|_| state.other_metrics.is_empty())
    else {
        sync.explanation = if state.other_metrics.is_empty() {
            "it had no CPU metric".to_owned()
        } else {
            format!("it has other metrics as well: {}", state.other_metrics.join(", "))
        };
        return sync;
    };
    let candidates = candidates(at_ns, state, inputs, target, percent);
    let decide_on = |asked: i32, shift_ns: i64| {
        let moment = Moment {
            at_ns,
            current: state.current_replicas,
            asked,
            min: state.min_replicas,
            max: state.max_replicas,
            behavior: state.behavior.as_ref(),
        };
        decide(moment, history, shift_ns)
    };
    let Some((first, pods)) = candidates.first() else {
        sync.explanation =
            format!("what it saw ({percent} % of {target} %) could not be found again in pods and metrics");
        return sync;
    };
    let mut best = (*first, pods.clone(), decide_on(first.replicas, 0));
    let mut agrees = best.2.replicas == state.desired_replicas;
    if !agrees {
        let others = candidates.iter().flat_map(|(recommendation, pods)| {
            [0, EDGE_NS, -EDGE_NS]
                .map(|shift_ns| (*recommendation, pods.clone(), decide_on(recommendation.replicas, shift_ns)))
        });
        if let Some(other) = others.into_iter().find(|(_, _, decision)| decision.replicas == state.desired_replicas) {
            best = other;
            agrees = true;
            sync.at_an_edge = true;
        }
    }
    let (recommendation, pods, decision) = best;
    sync.explanation = explain(state, target, recommendation, decision);
    sync.asked = Some(recommendation.replicas);
    sync.predicted = Some(decision);
    sync.pods = pods;
    // What was asked for and done before may still hold the way down, and what was done the way up.
    let reaches_back = |up: bool| at_ns.saturating_sub(u64::from(reach_s(state, up)) * 1_000_000_000) < known_from_ns;
    let held_by_the_unknown = match state.desired_replicas.cmp(&decision.replicas) {
        Ordering::Greater => reaches_back(false),
        Ordering::Less => reaches_back(true) && state.desired_replicas >= state.current_replicas,
        Ordering::Equal => false,
    };
    if !agrees && held_by_the_unknown {
        sync.explanation += "; its window reaches back to what is not known";
    } else {
        sync.agrees = Some(agrees);
        if !agrees {
            let wants = format!("; the controller wants {}", state.desired_replicas);
            sync.explanation.push_str(&wants);
        }
    }
    sync
}

/// Stabilization window of the way down.
pub fn down_window_s(state: &AutoscalerState) -> u32 {
    state.behavior.as_ref().and_then(|behavior| behavior.down.window_s).unwrap_or(DEFAULT_DOWN_WINDOW_S)
}

/// How far back a decision looks: the stabilization window, or the longest period of the rate limits.
fn reach_s(state: &AutoscalerState, up: bool) -> u32 {
    let rules = state.behavior.as_ref().map(|behavior| if up { &behavior.up } else { &behavior.down });
    let periods = rules.into_iter().flat_map(|rules| &rules.policies).map(|policy| policy.period_s);
    let window_s = if up { rules.and_then(|rules| rules.window_s).unwrap_or(0) } else { down_window_s(state) };
    periods.fold(window_s, u32::max)
}

/// Recommendations from every view of the pods that gives exactly the percent and the millicores of the status.
fn candidates(
    at_ns: u64,
    state: &AutoscalerState,
    inputs: &Inputs<'_>,
    target: i32,
    percent: i32,
) -> Vec<(Recommendation, Option<Vec<Pod>>)> {
    let tolerance = tolerance(state);
    let mut found: Vec<(Recommendation, Option<Vec<Pod>>)> = Vec::new();
    let views = inputs.views(&state.target, at_ns).into_iter().flatten();
    for pods in views.flat_map(|pods| with_unseen(pods, state.cpu_average_milli)) {
        match recommend(state.current_replicas, target, tolerance, &pods) {
            Ok(recommendation) => {
                let same = recommendation.percent == i64::from(percent)
                    && state.cpu_average_milli.is_none_or(|average| average == recommendation.average_milli);
                if same && found.iter().all(|(other, _)| *other != recommendation) {
                    found.push((recommendation, Some(pods)));
                }
            }
            Err(NoAnswer::NoSample | NoAnswer::NoRequest) => {}
        }
    }
    found
}

fn tolerance(state: &AutoscalerState) -> Tolerance {
    let default = Tolerance::default();
    let Some(behavior) = &state.behavior else { return default };
    Tolerance {
        up: behavior.up.tolerance_ratio.unwrap_or(default.up),
        down: behavior.down.tolerance_ratio.unwrap_or(default.down),
    }
}

/// Pods that count, that are not ready, and that have no sample.
pub fn count(pods: &[Pod]) -> (u64, u64, u64) {
    let of = |wanted: fn(&Standing) -> bool| pods.iter().filter(|pod| wanted(&pod.standing)).count() as u64;
    (
        of(|standing| matches!(standing, Standing::Measured(_))),
        of(|standing| *standing == Standing::Unready),
        of(|standing| *standing == Standing::Missing),
    )
}

fn explain(state: &AutoscalerState, target: i32, asked: Recommendation, decision: Decision) -> String {
    let ratio = asked.percent as f64 / f64::from(target);
    let how = match asked.reason {
        Reason::WithinTolerance => "within the tolerance: no change".to_owned(),
        Reason::Ratio => format!("→ {}", asked.replicas),
        Reason::Filled => {
            format!("with pods that do not count yet at 0 (up) or at their request (down) → {}", asked.replicas)
        }
        Reason::FilledToNothing => "with pods that do not count yet filled in: no change".to_owned(),
    };
    let held = match decision.held_by {
        None => String::new(),
        Some(by) => format!("; {} makes it {}", held_words(by, state), decision.replicas),
    };
    format!("{} % ÷ {target} % = {ratio:.2} on {} replicas {how}{held}", asked.percent, state.current_replicas)
}

fn held_words(by: HeldBy, state: &AutoscalerState) -> String {
    match by {
        HeldBy::DownWindow => format!("the stabilization window of {} s", down_window_s(state)),
        HeldBy::UpWindow => "the stabilization window of the way up".to_owned(),
        HeldBy::UpRate => "the rate limit of the way up".to_owned(),
        HeldBy::DownRate => "the rate limit of the way down".to_owned(),
        HeldBy::Min => format!("the minimum of {}", state.min_replicas),
        HeldBy::Max => format!("the maximum of {}", state.max_replicas),
    }
}
