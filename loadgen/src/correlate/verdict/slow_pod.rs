//! Q8.3: one pod is slower than the others.

use super::{Findings, forecast_figures, forecast_words, measured, ms, open};
use crate::correlate::context::Context;
use crate::report::schema::{DifferenceUs, Measured, Phase, PolicyForecast, SlowPod, Verdict};

/// The answer.
pub fn q8_3(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q8.3");
    let Some(slow) = findings.slow_pod else {
        verdict.not_measured.push(if ctx.observed() {
            "nothing: no pod was slowed in this run".to_owned()
        } else {
            "pods and their times: there are no records of an observer".to_owned()
        });
        return verdict;
    };
    verdict.evidence = figures(slow);
    verdict.evidence.extend(forecast_figures(&slow.what_if));
    if slow.what_if.is_empty() {
        verdict.not_measured.push("other policies: too few requests at one of the pods to replay them".to_owned());
    }
    let during = slow.phases.iter().find(|phase| phase.name == "during");
    if during.and_then(|phase| phase.slow_pod_throttled_us).is_none() {
        verdict.not_measured.push("CPU throttling of the slow pod".to_owned());
    }
    let (Some(rise), Some(against)) = (slow.slow_pod_median, slow.slow_minus_others_median) else {
        verdict.not_measured.push(
            "the slow pod's service time: too few requests before or during, or phases shorter than 2.5 s".to_owned(),
        );
        return verdict;
    };
    if rise.low_us <= 0.0 {
        verdict.not_measured.push(format!(
            "the effect of a slow pod: {} was to be slowed ({}), but its service time did not rise beyond chance ({})",
            slow.pod,
            slow.how,
            interval(rise)
        ));
        return verdict;
    }
    let mut claim = format!(
        "{} was slowed ({}): its median service time rose by {}, and lay {} above that of the others. ",
        slow.pod,
        slow.how,
        interval(rise),
        interval(against)
    );
    claim.push_str(&client(slow));
    claim.push_str(&balancer(slow));
    claim.push_str(&waiting(slow));
    claim.push_str(&forecast(slow));
    verdict.claim = Some(claim);
    verdict.advice.push(
        "Round-robin and chance give a slow pod its full share: its requests wait, and a client that needs several answers nearly always meets it. Use a policy that sees the load (least requests, two choices, peak EWMA), a readiness probe that fails when a pod is too slow, outlier ejection in the proxy, and the same CPU for every pod.".to_owned(),
    );
    verdict
}

fn client(slow: &SlowPod) -> String {
    let part = |name: &str, difference: Option<DifferenceUs>| {
        difference.map(|difference| match (difference.low_us > 0.0, difference.high_us < 0.0) {
            (true, _) => format!("{name} rose by {}", interval(difference)),
            (_, true) => format!("{name} fell by {}", interval(difference)),
            _ => format!("{name} did not change beyond chance ({})", interval(difference)),
        })
    };
    let parts: Vec<String> =
        [part("p50", slow.client_p50), part("p99", slow.client_p99)].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("At the client {}. ", parts.join(" and ")) }
}

fn balancer(slow: &SlowPod) -> String {
    let Some(share) = &slow.share else { return String::new() };
    let ratio = |pick: fn(&Phase) -> Option<f64>, name: &str| {
        let phase = slow.phases.iter().find(|phase| phase.name == name);
        phase.and_then(pick).map_or("–".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
    };
    let requests = |name| ratio(|phase| phase.slow_pod_requests_ratio, name);
    let p = share.connections_p.map_or(String::new(), |p| format!(", by new connection p = {p:.3}"));
    let change = format!("{} of the requests before, {} during{p}", requests("before"), requests("during"));
    match share.reacted {
        Some(true) => format!("The balance reacted: the slow pod got {change}. "),
        Some(false) => format!("The balance did not react: the slow pod got {change}. "),
        None => format!("Whether the balance reacted cannot be told: the slow pod got {change}. "),
    }
}

fn waiting(slow: &SlowPod) -> String {
    let most = |name: &str| {
        let phase = slow.phases.iter().find(|phase| phase.name == name)?;
        Some((phase.slow_pod_in_flight_max_count?, phase.other_pods_in_flight_max_count?))
    };
    match (most("before"), most("during")) {
        (Some((before, _)), Some((during, others))) => format!(
            "Up to {during} requests were at the slow pod at a time (before: {before}; at any other pod during: {others}). "
        ),
        _ => String::new(),
    }
}

fn forecast(slow: &SlowPod) -> String {
    if slow.what_if.is_empty() {
        return String::new();
    }
    let measured = slow.what_if_model.as_ref().map_or(String::new(), |model| {
        format!(" (measured {} / {})", ms(model.measured_p50_us as f64), ms(model.measured_p99_us as f64))
    });
    let others: Vec<PolicyForecast> =
        slow.what_if.iter().filter(|forecast| forecast.policy != "as_measured").cloned().collect();
    format!("Computed for the slow phase, p50 / p99: {}{measured}.", forecast_words(&others))
}

fn interval(difference: DifferenceUs) -> String {
    format!("{} ({} to {})", ms(difference.difference_us), ms(difference.low_us), ms(difference.high_us))
}

fn figures(slow: &SlowPod) -> Vec<Measured> {
    let mut figures = Vec::new();
    let differences = [
        ("slow_pod_median_difference_us", "slow pod's median service time, during minus before", slow.slow_pod_median),
        (
            "slow_minus_others_median_us",
            "median service time during, slow pod minus others",
            slow.slow_minus_others_median,
        ),
        ("client_p50_difference_us", "client's p50, during minus before", slow.client_p50),
        ("client_p99_difference_us", "client's p99, during minus before", slow.client_p99),
    ];
    for (name, what, difference) in differences {
        let text = difference.map_or_else(|| format!("{what}: not measured"), |it| format!("{what}: {}", interval(it)));
        figures.push(measured(name, difference.map(|difference| difference.difference_us), text));
    }
    for phase in &slow.phases {
        let name = &phase.name;
        let us = |value: Option<u64>| value.map_or("–".to_owned(), |us| ms(us as f64));
        figures.push(measured(
            &format!("client_p99_{name}_us"),
            phase.client_p99_us.map(|us| us as f64),
            format!(
                "{name}: {} requests, {} failed, client p50 {} p99 {}, at the slow pod {}, at others {}",
                phase.requests,
                phase.failed,
                us(phase.client_p50_us),
                us(phase.client_p99_us),
                us(phase.slow_pod_service_p50_us),
                us(phase.other_pods_service_p50_us)
            ),
        ));
        let throttled = phase.slow_pod_throttled_us;
        figures.push(measured(
            &format!("slow_pod_throttled_{name}_us"),
            throttled.map(|us| us as f64),
            format!("{name}: slow pod stopped by its CPU limit for {}", us(throttled)),
        ));
        figures.push(measured(
            &format!("slow_pod_in_flight_{name}_max_count"),
            phase.slow_pod_in_flight_max_count.map(|count| count as f64),
            phase.slow_pod_in_flight_max_count.map_or_else(
                || format!("{name}: requests at the slow pod not measured"),
                |count| format!("{name}: at most {count} requests at the slow pod at a time"),
            ),
        ));
        figures.push(measured(
            &format!("slow_pod_share_{name}_ratio"),
            phase.slow_pod_requests_ratio,
            phase.slow_pod_requests_ratio.map_or_else(
                || format!("{name}: share of the slow pod not measured"),
                |ratio| format!("{name}: the slow pod got {:.1} % of the requests", ratio * 100.0),
            ),
        ));
    }
    figures
}
