//! Rows of median to maximum on a logarithmic axis: latency per pod, and per stretch of the way.

use super::scale::{Scale, Tick};
use crate::report::figure::us;
use crate::report::schema::{Latency, Report};

const ROW: usize = 24;
const TOP: usize = 14;

pub struct RangeChart {
    pub height: usize,
    pub axis_y: usize,
    pub ticks: Vec<Tick>,
    pub rows: Vec<RangeRow>,
}

pub struct RangeRow {
    pub name: String,
    pub note: String,
    pub y: usize,
    pub marks: Option<Marks>,
    pub cells: [String; 6],
}

/// Places of the figures.
pub struct Marks {
    pub p50: String,
    pub p90: String,
    pub p99: String,
    pub max: String,
}

impl RangeChart {
    /// Client's latency of the successes of each pod.
    pub fn pods(report: &Report) -> Self {
        let rows = report.pods.iter().map(|pod| {
            let version = pod.version.as_deref().or(pod.revision.as_deref()).unwrap_or("–");
            (pod.name.clone(), format!("{}, {version}", pod.role), pod.latency_us.as_ref())
        });
        Self::new(rows.collect())
    }

    /// Stretches of the way, after the whole of it.
    pub fn hops(report: &Report) -> Self {
        let total = ("total".to_owned(), "due (if no worker was free) or sent → answered".to_owned());
        let mut rows = vec![(total.0, total.1, report.latency.from_due.as_ref())];
        rows.extend(report.hops.iter().map(|hop| (hop.name.clone(), hop.from_to.clone(), hop.latency.as_ref())));
        Self::new(rows)
    }

    fn new(rows: Vec<(String, String, Option<&Latency>)>) -> Self {
        let largest_us =
            rows.iter().filter_map(|(_, _, latency)| latency.map(|latency| latency.max_us)).max().unwrap_or(1);
        let scale = Scale::logarithmic(largest_us as f64);
        let axis_y = TOP + rows.len() * ROW;
        let rows = rows.into_iter().enumerate().map(|(n, (name, note, latency))| {
            let figure = |pick: fn(&Latency) -> u64| us(latency.map(pick));
            RangeRow {
                name,
                note,
                y: TOP + n * ROW + ROW / 2,
                marks: latency.map(|latency| Marks {
                    p50: scale.x(latency.p50_us as f64),
                    p90: scale.x(latency.p90_us as f64),
                    p99: scale.x(latency.p99_us as f64),
                    max: scale.x(latency.max_us as f64),
                }),
                cells: [
                    latency.map_or("–".to_owned(), |latency| latency.count.to_string()),
                    figure(|l| l.p50_us),
                    figure(|l| l.p90_us),
                    figure(|l| l.p99_us),
                    figure(|l| l.p999_us),
                    figure(|l| l.max_us),
                ],
            }
        });
        let rows = rows.collect();
        Self { height: axis_y + 28, axis_y, ticks: scale.ticks(|value| us(Some(value as u64))), rows }
    }
}
