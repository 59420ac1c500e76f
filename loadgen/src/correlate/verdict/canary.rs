//! Q10.5: promote, hold, or roll back; and how large the canary's share really was.

use super::{measured, open};
use crate::report::schema::{CanaryDecision, CanaryReport, Measured, ShareReport, Verdict, VersionReport};
use crate::stats::{WITHIN_RUN, below_if_none, least_total_to_exclude};

/// Below this, chance is ruled out.
const SIGNIFICANT: f64 = 0.01;
/// A canary that is slower by less than a fifth is not held back for it.
const TOLERATED_SLOWER: f64 = 1.2;
/// Nor for less than a millisecond: a fifth of a tenth of one is the scheduler's, not the version's.
const TOLERATED_SLOWER_US: f64 = 1_000.0;
/// A canary must be shown to fail less than this, where nothing else is asked for.
const MOST_FAILED: f64 = 0.01;

/// Decides. Worse failures outrank everything; then come doubts; only what is left is promoted.
pub fn decide(report: &mut CanaryReport, most_failed: Option<f64>, pods_changed: bool) {
    let most_failed = most_failed.unwrap_or(MOST_FAILED);
    let (stable, canary) = (&report.stable, &report.canary);
    let worse = canary.failed_ratio > stable.failed_ratio && report.failed_p_value.is_some_and(|p| p < SIGNIFICANT);
    let mut reasons = Vec::new();
    if worse {
        reasons.push(format!(
            "it fails more often: {} against {} (p {})",
            failures(canary),
            failures(stable),
            p_words(report.failed_p_value)
        ));
        (report.decision, report.reasons) = (CanaryDecision::RollBack, reasons);
        return;
    }
    let needed = least_total_to_exclude(most_failed, WITHIN_RUN);
    if canary.requests_count < needed || stable.requests_count < needed {
        reasons.push(format!(
            "{} requests reached the canary and {} the stable version; {needed} of each are needed before none failing puts the failure ratio below {} with 95 % confidence",
            canary.requests_count,
            stable.requests_count,
            percent(most_failed)
        ));
        (report.decision, report.reasons) = (CanaryDecision::NoData, reasons);
        return;
    }
    let at_most = if canary.failed_count == 0 {
        below_if_none(canary.requests_count, WITHIN_RUN)
    } else {
        canary.failed_high_ratio
    };
    let mut doubts = Vec::new();
    if at_most.is_none_or(|ratio| ratio > most_failed) {
        doubts.push(format!(
            "that it fails less than {} of requests is not shown: {}",
            percent(most_failed),
            failures(canary)
        ));
    }
    match (median(canary), median(stable)) {
        (Some(new), Some(old)) => {
            let longer = new > old * TOLERATED_SLOWER && new > old + TOLERATED_SLOWER_US;
            let slower = longer && report.latency_p_value.is_some_and(|p| p < SIGNIFICANT);
            let words = format!(
                "median {:.2} ms against {:.2} ms (p {})",
                new / 1e3,
                old / 1e3,
                p_words(report.latency_p_value)
            );
            if slower {
                doubts.push(format!("it is slower: {words}"));
            } else {
                reasons.push(format!("it is not slower by a fifth and a millisecond: {words}"));
            }
        }
        _ => doubts.push("how long each version takes was not measured".to_owned()),
    }
    if pods_changed {
        doubts.push("pods came, went or were not ready during the run: it was disturbed".to_owned());
    }
    if let (Some(share), Some(expected)) = (main_share(report), report.expected_share_ratio)
        && share.p_value.is_some_and(|p| p < SIGNIFICANT)
    {
        doubts.push(format!("its share is not the {} that it should be: {}", percent(expected), share_words(share)));
    }
    reasons.insert(0, format!("it does not fail more often: {} against {}", failures(canary), failures(stable)));
    if doubts.is_empty() {
        (report.decision, report.reasons) = (CanaryDecision::Promote, reasons);
    } else {
        (report.decision, report.reasons) = (CanaryDecision::Hold, doubts);
    }
}

/// The answer.
pub fn q10_5(report: &CanaryReport) -> Verdict {
    let mut verdict = open("Q10.5");
    verdict.evidence = figures(report);
    let Some(share) = main_share(report) else {
        verdict.not_measured.push("no request reached a pod of either version".to_owned());
        return verdict;
    };
    let way = if report.split_by == "weight" {
        "The gateway is told the share: two Services, one for each version, and a weighted choice per request (nginx `split_clients`); no number of replicas is tied to it.".to_owned()
    } else {
        format!(
            "Two Deployments behind one Service: {} stable pods and {} canary, so a new connection reaches the canary by the ratio of ready pods, by chance for each connection.",
            report.stable.ready_pods_count, report.canary.ready_pods_count
        )
    };
    let expected = report.expected_share_ratio.map_or("not known".to_owned(), percent);
    let by = if by_request(report) { "requests" } else { "new connections" };
    let agrees = match share.p_value {
        Some(p) if p < SIGNIFICANT => "which is NOT what was to be expected",
        Some(_) => "in line with what was to be expected",
        None => "not compared",
    };
    verdict.claim = Some(format!(
        "{way} Measured: the canary got {} of {by} (expected {expected}, {agrees}). Verdict: {}: {}.",
        share_words(share),
        report.decision.in_words(),
        report.reasons.join("; ")
    ));
    if report.decision == CanaryDecision::NoData {
        verdict
            .not_measured
            .push("promote, hold or roll back: no data; allow more with --duration or --rate".to_owned());
    }
    verdict.not_measured.push("whether the new model's answers are right: a status is no prediction".to_owned());
    let next = match report.decision {
        CanaryDecision::Promote => {
            "Promote: give the stable Deployment the canary's image and template, then delete the canary (`kubectl delete deployment`); raise its share in steps where more is at stake."
        }
        CanaryDecision::RollBack => {
            "Roll back: `kubectl scale deployment --replicas=0` on the canary, or weight 0; the stable version is untouched."
        }
        CanaryDecision::Hold => "Hold: leave the share as it is, remove the reason, and measure again.",
        CanaryDecision::NoData => return verdict,
    };
    verdict.advice.push(next.to_owned());
    verdict
}

/// By what is drawn: requests where the gateway is told a share, else connections, where these were seen.
fn main_share(report: &CanaryReport) -> Option<&ShareReport> {
    let by_connection = report.by_connection.as_ref().filter(|_| !by_request(report));
    by_connection.or(report.by_request.as_ref())
}

fn by_request(report: &CanaryReport) -> bool {
    report.split_by == "weight" || report.by_connection.is_none()
}

fn median(version: &VersionReport) -> Option<f64> {
    version.service_time_us.as_ref().or(version.latency_us.as_ref()).map(|latency| latency.p50_us as f64)
}

fn figures(report: &CanaryReport) -> Vec<Measured> {
    let expected = report.expected_share_ratio;
    let words = expected.map_or("expected share: not known".to_owned(), |e| format!("expected share {}", percent(e)));
    let mut figures = vec![measured("expected_share_ratio", expected, words)];
    for (name, share) in [("connections", &report.by_connection), ("requests", &report.by_request)] {
        let ratio = share.and_then(|share| share.ratio);
        let text =
            share.map_or(format!("share of {name}: not measured"), |s| format!("share of {name}: {}", share_words(&s)));
        figures.push(measured(&format!("canary_share_of_{name}_ratio"), ratio, text));
    }
    for (name, version) in [("stable", &report.stable), ("canary", &report.canary)] {
        figures.push(measured(
            &format!("{name}_failed_ratio"),
            version.failed_ratio,
            format!("{name}: {}", failures(version)),
        ));
        let p50 = median(version);
        let text = p50
            .map_or(format!("{name}: time not measured"), |us| format!("{name}: median {:.2} ms in the pod", us / 1e3));
        figures.push(measured(&format!("{name}_service_p50_us"), p50, text));
    }
    figures.push(measured(
        "failed_p_value",
        report.failed_p_value,
        format!("failures differ by chance: p {}", p_words(report.failed_p_value)),
    ));
    figures.push(measured(
        "latency_p_value",
        report.latency_p_value,
        format!("times differ by chance: p {}", p_words(report.latency_p_value)),
    ));
    figures
}

/// "304 of 3000 (10.1 %; 95 %: 9.1 to 11.3 %; p 0.81)".
fn share_words(share: &ShareReport) -> String {
    let range = share.low_ratio.zip(share.high_ratio).map_or_else(
        || "; no interval: not independent draws".to_owned(),
        |(low, high)| format!("; 95 %: {} to {}", percent(low), percent(high)),
    );
    let p = share.p_value.map_or_else(String::new, |p| format!("; p {}", p_words(Some(p))));
    format!(
        "{} of {} ({}{range}{p})",
        share.canary_count,
        share.total_count,
        share.ratio.map_or("–".to_owned(), percent)
    )
}

fn failures(version: &VersionReport) -> String {
    let range = version.failed_low_ratio.zip(version.failed_high_ratio);
    let range = range.map_or_else(String::new, |(low, high)| format!(" (95 %: {} to {})", percent(low), percent(high)));
    format!("{} of {} requests failed{range}", version.failed_count, version.requests_count)
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

fn p_words(p: Option<f64>) -> String {
    match p {
        None => "not measured".to_owned(),
        Some(p) if p < 0.0001 => "< 0.0001".to_owned(),
        Some(p) => format!("= {p:.4}"),
    }
}
