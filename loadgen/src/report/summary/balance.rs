//! Who got what, who decided it, and what others would have decided.

use super::style::{Style, escape, lines, short};
use crate::report::figure::{percent, us};
use crate::report::schema::{Balance, DifferenceUs, Phase, PolicyForecast, Report, SlowPod, WhatIfModel};

/// Only where choices were what the run was about: other runs have one line below their pods.
pub fn balance(report: &Report, style: Style) -> String {
    let Some(balance) = report.balance.as_ref().filter(|_| report.experiment == "balance") else {
        return String::new();
    };
    let mut out = style.title("Balance (intervals hold the true share in 95 of 100 runs)") + &shares(balance, style);
    out.push_str(&tests(balance, style));
    out += &style.paragraph(
        "  ",
        &format!(
            "{} connections carried more than one request; {} of {} requests came on a connection that was kept",
            balance.connections_kept, balance.requests_on_kept_connections, balance.requests
        ),
    );
    if let Some(decision) = &balance.decision {
        out += &style.paragraph("  one choice: ", &escape(&decision.explanation));
        for endpoint in &decision.endpoints {
            let state = match (endpoint.ready, endpoint.terminating) {
                (true, _) => "ready",
                (_, true) => "on its way out",
                _ => "not ready",
            };
            let mark = if endpoint.chosen { "  ← chosen" } else { "" };
            let pod = endpoint.pod.as_deref().unwrap_or("–");
            out += &style.paragraph("    ", &escape(&format!("{} {pod} {state}{mark}", endpoint.ip)));
        }
    }
    out + &what_if(&balance.what_if, balance.what_if_model.as_ref(), style)
}

fn shares(balance: &Balance, style: Style) -> String {
    let mut table = style.table(&["pod", "connections", "share", "interval", "requests", "share", "interval"]);
    for share in &balance.shares {
        table.add_row([
            short(&share.pod),
            share.connections.to_string(),
            percent(share.connections_ratio),
            range(share.connections_low_ratio, share.connections_high_ratio),
            share.requests.to_string(),
            percent(share.requests_ratio),
            range(share.requests_low_ratio, share.requests_high_ratio),
        ]);
    }
    lines(&table)
}

fn tests(balance: &Balance, style: Style) -> String {
    if balance.tests.is_empty() {
        return String::new();
    }
    let mut table = style.table(&["test", "seen by", "choosers", "of", "repeats", "by chance", "p", "limit", "effect"]);
    for test in &balance.tests {
        table.add_row([
            test.test.clone(),
            test.level.clone(),
            test.choosers.to_string(),
            test.count.to_string(),
            test.repeats.map_or_else(|| "–".to_owned(), |repeats| repeats.to_string()),
            test.repeats_expected.map_or_else(|| "–".to_owned(), |expected| format!("{expected:.0}")),
            format!("{:.4}", test.p),
            format!("{:.5}", test.p_limit),
            format!("{:+.3}", test.effect),
        ]);
    }
    lines(&table)
}

/// The slow pod, phase by phase.
pub fn slow_pod(report: &Report, style: Style) -> String {
    let Some(slow) = &report.slow_pod else { return String::new() };
    let mut table = style.table(&[
        "phase",
        "requests",
        "failed",
        "client p50",
        "p99",
        "at slow pod",
        "at others",
        "share",
        "at a time",
        "mean",
        "others",
        "throttled",
    ]);
    for phase in &slow.phases {
        table.add_row(phase_row(phase));
    }
    let title = format!("Slow pod: {}, {}", escape(&slow.pod), escape(&slow.how));
    let mut out = style.title(&title) + &lines(&table) + &differences(slow, style);
    let busiest = slow.in_flight.iter().max_by_key(|step| step.slow_pod_max_count);
    if let Some(step) = busiest {
        let text = format!(
            "{} requests at {:+.1} s, {} at the busiest other pod then",
            step.slow_pod_max_count,
            step.after_start_ms / 1e3,
            step.other_pods_max_count
        );
        out += &style.paragraph("  most at the slow pod: ", &text);
    }
    out + &what_if(&slow.what_if, slow.what_if_model.as_ref(), style)
}

fn phase_row(phase: &Phase) -> [String; 12] {
    let count = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    [
        phase.name.clone(),
        phase.requests.to_string(),
        phase.failed.to_string(),
        us(phase.client_p50_us),
        us(phase.client_p99_us),
        us(phase.slow_pod_service_p50_us),
        us(phase.other_pods_service_p50_us),
        percent(phase.slow_pod_requests_ratio),
        count(phase.slow_pod_in_flight_max_count),
        phase.slow_pod_in_flight_mean_count.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.2}")),
        count(phase.other_pods_in_flight_max_count),
        us(phase.slow_pod_throttled_us),
    ]
}

fn differences(slow: &SlowPod, style: Style) -> String {
    let words = |difference: Option<DifferenceUs>| {
        difference.map_or_else(
            || "not measured".to_owned(),
            |it| format!("{:.2} ms ({:.2} to {:.2})", it.difference_us / 1e3, it.low_us / 1e3, it.high_us / 1e3),
        )
    };
    let text = format!(
        "during minus before: median at the slow pod {}; client p50 {}, p99 {}. Slow pod minus others, during: {}",
        words(slow.slow_pod_median),
        words(slow.client_p50),
        words(slow.client_p99),
        words(slow.slow_minus_others_median)
    );
    style.paragraph("  ", &text)
}

fn what_if(forecasts: &[PolicyForecast], model: Option<&WhatIfModel>, style: Style) -> String {
    let Some(model) = model.filter(|_| !forecasts.is_empty()) else { return String::new() };
    let mut table = style.table(&["computed: policy", "p50", "p90", "p99", "max", "at a time", "shares"]);
    for forecast in forecasts {
        let shares: Vec<String> = forecast.shares_ratio.iter().map(|share| format!("{:.1} %", share * 100.0)).collect();
        table.add_row([
            forecast.policy.clone(),
            us(Some(forecast.p50_us)),
            us(Some(forecast.p90_us)),
            us(Some(forecast.p99_us)),
            us(Some(forecast.max_us)),
            forecast.in_flight_max_count.to_string(),
            shares.join(" / "),
        ]);
    }
    let measured = format!(
        "measured p50 {}, p99 {}; {} gateway pod(s) choose; {} requests left out",
        us(Some(model.measured_p50_us)),
        us(Some(model.measured_p99_us)),
        model.choosers,
        model.requests_left_out
    );
    lines(&table) + &style.paragraph("  model: ", &escape(&model.about)) + &style.paragraph("  ", &measured)
}

fn range(low: Option<f64>, high: Option<f64>) -> String {
    low.zip(high).map_or_else(|| "–".to_owned(), |(low, high)| format!("{:.1} to {:.1} %", low * 100.0, high * 100.0))
}
