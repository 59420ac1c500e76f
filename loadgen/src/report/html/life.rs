//! The run on an axis of time: each pod's life, what we did, and the requests lost, by cause.

use std::collections::BTreeMap;

use super::scale::{Scale, Tick};
use crate::report::schema::{Cause, Report};

const ROW: usize = 22;
const TOP: usize = 34;

pub struct LifeChart {
    pub height: usize,
    pub axis_y: usize,
    pub ticks: Vec<Tick>,
    pub actions: Vec<Action>,
    pub pods: Vec<PodLane>,
    pub causes: Vec<CauseLane>,
}

pub struct Action {
    pub x: String,
    pub name: String,
}

/// A pod: there from `from` to `to`, a ready endpoint in between.
pub struct PodLane {
    pub name: String,
    pub y: usize,
    pub from: String,
    pub width: String,
    pub ready: Vec<(String, String)>,
    pub terminating: Option<String>,
}

pub struct CauseLane {
    pub name: &'static str,
    pub count: usize,
    pub y: usize,
    pub dots: Vec<Dot>,
}

/// Requests lost at about the same time.
pub struct Dot {
    pub x: String,
    pub r: String,
    pub count: usize,
}

#[derive(Default)]
struct Life {
    seen_ms: Option<f64>,
    gone_ms: Option<f64>,
    terminating_ms: Option<f64>,
    ready: Vec<(f64, bool)>,
}

impl LifeChart {
    pub fn new(report: &Report) -> Self {
        let run_ms = report.run.ended_ns.saturating_sub(report.run.started_ns) as f64 / 1e6;
        let scale = Scale::linear(0.0, run_ms);
        let lives = lives(report);
        let mut y = TOP;
        let mut next = || {
            y += ROW;
            y - ROW / 2
        };
        let of_interest = |name: &str| report.pods.iter().any(|pod| pod.name == name);
        let in_run = |life: &Life| life.gone_ms.is_none_or(|gone_ms| gone_ms >= 0.0);
        let mut pods: Vec<_> = lives.into_iter().filter(|(name, life)| of_interest(name) && in_run(life)).collect();
        let start = |life: &Life| life.seen_ms.unwrap_or(f64::MIN).max(0.0);
        pods.sort_by(|(a_name, a), (b_name, b)| start(a).total_cmp(&start(b)).then_with(|| a_name.cmp(b_name)));
        let pods: Vec<PodLane> =
            pods.into_iter().map(|(name, life)| lane(name, &life, scale, run_ms, next())).collect();
        let mut by_cause: BTreeMap<Cause, Vec<f64>> = BTreeMap::new();
        for failure in &report.failures {
            let after_ms = failure.sent_ns.saturating_sub(report.run.started_ns) as f64 / 1e6;
            by_cause.entry(failure.cause).or_default().push(after_ms);
        }
        let causes: Vec<CauseLane> = by_cause
            .into_iter()
            .map(|(cause, at_ms)| CauseLane {
                name: cause.name(),
                count: at_ms.len(),
                y: next(),
                dots: dots(&at_ms, scale),
            })
            .collect();
        let actions = report.timeline.iter().filter(|item| item.source == "action" && item.after_start_ms >= 0.0);
        Self {
            height: y + 30,
            axis_y: y,
            ticks: scale.ticks(|ms| format!("{} s", ms / 1_000.0)),
            actions: actions.map(|item| Action { x: scale.x(item.after_start_ms), name: item.kind.clone() }).collect(),
            pods,
            causes,
        }
    }
}

fn lives(report: &Report) -> BTreeMap<String, Life> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    for item in &report.timeline {
        let Some(name) = item.object.strip_prefix("pod/") else { continue };
        let life = lives.entry(name.to_owned()).or_default();
        let ms = item.after_start_ms;
        match item.kind.as_str() {
            "pod_seen" => {
                life.seen_ms.get_or_insert(ms);
                // A pod found ready was an endpoint before anybody looked.
                if item.what.contains("ready") {
                    life.ready.push((ms, true));
                }
            }
            "endpoint_added" => life.ready.push((ms, true)),
            "endpoint_removed" => life.ready.push((ms, false)),
            "pod_terminating" => life.terminating_ms = Some(ms),
            "pod_gone" => life.gone_ms = Some(ms),
            _ => {}
        }
    }
    lives
}

fn lane(name: String, life: &Life, scale: Scale, run_ms: f64, y: usize) -> PodLane {
    let end_ms = life.gone_ms.unwrap_or(run_ms);
    let span = |from_ms: f64, to_ms: f64| {
        let (from, to) = (scale.place(from_ms), scale.place(to_ms));
        (format!("{from:.1}"), format!("{:.1}", (to - from).max(1.0)))
    };
    let (from, width) = span(life.seen_ms.unwrap_or(0.0), end_ms);
    let mut ready = Vec::new();
    let mut since = None;
    for (ms, is_ready) in &life.ready {
        match (since, is_ready) {
            (None, true) => since = Some(*ms),
            (Some(from_ms), false) => {
                ready.push(span(from_ms, *ms));
                since = None;
            }
            _ => {}
        }
    }
    ready.extend(since.map(|from_ms| span(from_ms, end_ms)));
    PodLane { name, y, from, width, ready, terminating: life.terminating_ms.map(|ms| scale.x(ms)) }
}

/// Requests within three units of each other are one dot, whose area grows with their number.
fn dots(at_ms: &[f64], scale: Scale) -> Vec<Dot> {
    let mut bins: BTreeMap<i64, usize> = BTreeMap::new();
    for ms in at_ms {
        *bins.entry((scale.place(*ms) / 3.0).round() as i64).or_insert(0) += 1;
    }
    bins.into_iter()
        .map(|(bin, count)| Dot {
            x: format!("{}", bin * 3),
            r: format!("{:.1}", (1.5 + (count as f64).sqrt()).min(9.0)),
            count,
        })
        .collect()
}
