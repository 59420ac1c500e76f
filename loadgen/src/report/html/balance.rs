//! Shares, forecasts and the phases of a slow pod, as plain tables.

use crate::report::figure::{percent, us};
use crate::report::schema::{Balance, PolicyForecast, Report, SlowPod};

/// A table of text.
pub struct PlainTable {
    /// Above it.
    pub caption: String,
    /// Columns.
    pub head: &'static [&'static str],
    /// Rows.
    pub rows: Vec<Vec<String>>,
    /// Below it.
    pub note: String,
}

/// The tables of a run about choices. Other runs have none.
pub fn tables(report: &Report) -> Vec<PlainTable> {
    let mut tables = Vec::new();
    if let Some(balance) = report.balance.as_ref().filter(|_| report.experiment == "balance") {
        tables.push(shares(balance));
        tables.extend(forecasts(&balance.what_if, balance.what_if_model.as_ref().map(|model| model.about.as_str())));
    }
    if let Some(slow) = &report.slow_pod {
        tables.push(phases(slow));
        tables.extend(forecasts(&slow.what_if, slow.what_if_model.as_ref().map(|model| model.about.as_str())));
    }
    tables
}

fn shares(balance: &Balance) -> PlainTable {
    let range = |low: Option<f64>, high: Option<f64>| {
        low.zip(high).map_or("–".to_owned(), |(low, high)| format!("{:.1} to {:.1} %", low * 100.0, high * 100.0))
    };
    let row = |share: &crate::report::schema::PodShare| {
        vec![
            share.pod.clone(),
            share.connections.to_string(),
            percent(share.connections_ratio),
            range(share.connections_low_ratio, share.connections_high_ratio),
            share.requests.to_string(),
            percent(share.requests_ratio),
            range(share.requests_low_ratio, share.requests_high_ratio),
        ]
    };
    PlainTable {
        caption: "Shares, with the interval that holds the true share in 95 of 100 runs".to_owned(),
        head: &["pod", "connections", "share", "interval", "requests", "share", "interval"],
        rows: balance.shares.iter().map(row).collect(),
        note: balance.decision.as_ref().map_or(String::new(), |decision| decision.explanation.clone()),
    }
}

fn forecasts(forecasts: &[PolicyForecast], about: Option<&str>) -> Option<PlainTable> {
    let row = |forecast: &PolicyForecast| {
        let shares: Vec<String> = forecast.shares_ratio.iter().map(|share| percent(Some(*share))).collect();
        vec![
            forecast.policy.clone(),
            us(Some(forecast.p50_us)),
            us(Some(forecast.p99_us)),
            us(Some(forecast.max_us)),
            forecast.in_flight_max_count.to_string(),
            shares.join(" / "),
        ]
    };
    (!forecasts.is_empty()).then(|| PlainTable {
        caption: "What other policies would have given (computed)".to_owned(),
        head: &["policy", "p50", "p99", "max", "most at a pod", "shares"],
        rows: forecasts.iter().map(row).collect(),
        note: about.unwrap_or_default().to_owned(),
    })
}

fn phases(slow: &SlowPod) -> PlainTable {
    let count = |value: Option<u64>| value.map_or("–".to_owned(), |value| value.to_string());
    let row = |phase: &crate::report::schema::Phase| {
        vec![
            phase.name.clone(),
            phase.requests.to_string(),
            us(phase.client_p50_us),
            us(phase.client_p99_us),
            us(phase.slow_pod_service_p50_us),
            us(phase.other_pods_service_p50_us),
            percent(phase.slow_pod_requests_ratio),
            count(phase.slow_pod_in_flight_max_count),
            count(phase.other_pods_in_flight_max_count),
            us(phase.slow_pod_throttled_us),
        ]
    };
    PlainTable {
        caption: format!("Slow pod: {}, {}", slow.pod, slow.how),
        head: &[
            "phase",
            "requests",
            "client p50",
            "client p99",
            "at the slow pod",
            "at others",
            "its share",
            "most at it",
            "most at another",
            "throttled",
        ],
        rows: slow.phases.iter().map(row).collect(),
        note: String::new(),
    }
}
