//! Q4.2: which pod handles a request, and how is this decided? Q8.2: is it round-robin, and what would suit better?

use super::{Findings, forecast_figures, forecast_words, measured, ms, open};
use crate::correlate::context::Context;
use crate::report::schema::{Balance, Measured, PolicyForecast, Verdict};

/// From this share of requests on kept connections on, the choice is no longer made for each request.
const MOSTLY: f64 = 0.5;

/// Q4.2.
pub fn q4_2(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q4.2");
    let Some(balance) = findings.balance else {
        verdict.not_measured.push(why_nothing(ctx));
        return verdict;
    };
    verdict.evidence = share_figures(balance);
    verdict.evidence.extend(kept_figures(balance));
    let Some(decision) = &balance.decision else {
        verdict.not_measured.push("the decision for one request: none was seen on a connection to a pod".to_owned());
        return verdict;
    };
    let got: Vec<String> = balance.shares.iter().map(|share| format!("{} {}", share.pod, share.requests)).collect();
    let different = balance.shares.iter().filter(|share| share.requests > 0).count() > 1;
    let repeated = if different {
        "Any of them, and repeated requests do go to different pods"
    } else {
        "Always the same one in this run"
    };
    let how = if decision.nat_source.as_deref() == Some("direct") {
        "The gateway decides, when it opens a connection: it knows the pods and dials one itself"
    } else {
        "The node's kube-proxy rules decide, when the gateway opens a connection to the Service's address: they translate it to one of the ready endpoints, and the gateway never learns which"
    };
    verdict.claim = Some(format!("{repeated}: {}. {how}. For example: {}", got.join(", "), decision.explanation));
    verdict
}

/// Q8.2.
pub fn q8_2(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> Verdict {
    let mut verdict = open("Q8.2");
    let Some(balance) = findings.balance else {
        verdict.not_measured.push(why_nothing(ctx));
        return verdict;
    };
    verdict.evidence = share_figures(balance);
    verdict.evidence.extend(order_figures(balance));
    verdict.evidence.extend(kept_figures(balance));
    verdict.evidence.extend(forecast_figures(&balance.what_if));
    if balance.what_if.is_empty() {
        verdict.not_measured.push(
            "other policies: too few requests at one of the pods were seen from first to last byte to replay them"
                .to_owned(),
        );
    }
    let kept = balance.requests_on_kept_connections as f64 / balance.requests.max(1) as f64;
    let measured_words = match balance.pattern.as_str() {
        "random" => Some(format!(
            "No, it is not round-robin: each new connection goes to a pod at random. {}.",
            balance.explanation
        )),
        "round_robin" => Some(format!("Round-robin is what was measured. {}.", balance.explanation)),
        "sticky" => {
            Some(format!("No, it is not round-robin: the same chooser gets the same pod. {}.", balance.explanation))
        }
        "weighted" => {
            Some(format!("No, it is not round-robin: some pods get more than others. {}.", balance.explanation))
        }
        _ => None,
    };
    let reuse = (kept >= MOSTLY).then(|| {
        format!(
            "{} of {} requests went over a connection that the gateway had kept: for these nobody chose, and the shares by request ({}) are those of the connections.",
            balance.requests_on_kept_connections,
            balance.requests,
            shares_in_percent(balance)
        )
    });
    match (measured_words, reuse) {
        (Some(words), reuse) => {
            verdict.claim = Some([Some(words), reuse].into_iter().flatten().collect::<Vec<_>>().join(" "));
        }
        (None, Some(reuse)) => {
            verdict.not_measured.push(format!("how the Service chooses: {}", balance.explanation));
            verdict.claim = Some(format!("Not request by request, so it is not round-robin over requests: {reuse}"));
        }
        (None, None) => {
            verdict.not_measured.push(format!("how the Service chooses: {}", balance.explanation));
            return verdict;
        }
    }
    if let (Some(claim), Some(better)) = (&mut verdict.claim, better(balance)) {
        claim.push(' ');
        claim.push_str(&better);
    }
    verdict.advice.push(
        "Inference requests differ in length, and a pod that is busy with a long one is no good choice for the next: a policy that counts what is in flight (least requests, two choices) or measures latency (peak EWMA) sees that; chance and turns do not. It needs a proxy that knows the pods: a headless Service behind `least_conn` or `random two`, or a service mesh.".to_owned(),
    );
    verdict
}

fn why_nothing(ctx: &Context<'_, '_>) -> String {
    if ctx.observed() {
        "the spread: there were not two pods that were ready all the time and got requests".to_owned()
    } else {
        "pods and choices: there are no records of an observer".to_owned()
    }
}

/// What the forecasts say, with their own error beside them.
fn better(balance: &Balance) -> Option<String> {
    let model = balance.what_if_model.as_ref()?;
    let find = |name: &str| balance.what_if.iter().find(|forecast| forecast.policy == name);
    let replay = find("as_measured")?;
    let others: Vec<PolicyForecast> =
        balance.what_if.iter().filter(|forecast| forecast.policy != "as_measured").cloned().collect();
    let best = others.iter().min_by_key(|forecast| forecast.p99_us)?;
    let random = find("random")?;
    let gain = random.p99_us.saturating_sub(best.p99_us) as f64 / random.p99_us.max(1) as f64;
    let so = if gain < 0.05 {
        "At this load no pod is busy long enough for the policy to matter".to_owned()
    } else {
        format!("{} would cut p99 by {:.0} % against chance", best.policy, gain * 100.0)
    };
    Some(format!(
        "{so}. Computed from this run's arrivals and service times, p50 / p99: {} (measured {} / {}; the replay of what was measured gives {} / {}).",
        forecast_words(&others),
        ms(model.measured_p50_us as f64),
        ms(model.measured_p99_us as f64),
        ms(replay.p50_us as f64),
        ms(replay.p99_us as f64),
    ))
}

fn shares_in_percent(balance: &Balance) -> String {
    let share = |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    balance.shares.iter().map(|pod| share(pod.requests_ratio)).collect::<Vec<_>>().join(" / ")
}

fn share_figures(balance: &Balance) -> Vec<Measured> {
    let percent =
        |ratio: Option<f64>| ratio.map_or("not measured".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    let figures = balance.shares.iter().flat_map(|share| {
        let text = |what: &str, count, value, low, high| {
            format!("{}: {count} {what}, {} ({} to {})", share.pod, percent(value), percent(low), percent(high))
        };
        let connections = text(
            "connections",
            share.connections,
            share.connections_ratio,
            share.connections_low_ratio,
            share.connections_high_ratio,
        );
        let requests =
            text("requests", share.requests, share.requests_ratio, share.requests_low_ratio, share.requests_high_ratio);
        [
            measured("connections_share_ratio", share.connections_ratio, connections),
            measured("requests_share_ratio", share.requests_ratio, requests),
        ]
    });
    figures.collect()
}

fn order_figures(balance: &Balance) -> Vec<Measured> {
    let mut figures = vec![measured(
        "p_equal_shares",
        balance.p_equal_shares,
        match balance.p_equal_shares {
            Some(p) => format!("shares as even as these or as uneven: p = {p:.4}, both sides"),
            None => "too few connections for the share test".to_owned(),
        },
    )];
    for test in balance.tests.iter().filter(|test| test.test == "order") {
        let (Some(repeats), Some(expected)) = (test.repeats, test.repeats_expected) else { continue };
        figures.push(measured(
            &format!("repeats_{}_ratio", test.level),
            Some(repeats as f64 / test.count.max(1) as f64),
            format!(
                "{repeats} of {} consecutive connections ({}) went to the same pod; chance makes {expected:.0}, turns none (p = {:.4}, limit {:.5})",
                test.count, test.level, test.p, test.p_limit
            ),
        ));
    }
    figures
}

fn kept_figures(balance: &Balance) -> Vec<Measured> {
    vec![
        measured(
            "connections_new_count",
            Some(balance.connections as f64),
            format!("{} new connections of the gateway, each a choice", balance.connections),
        ),
        measured(
            "connections_kept_count",
            Some(balance.connections_kept as f64),
            format!("{} connections carried more than one request", balance.connections_kept),
        ),
        measured(
            "requests_on_kept_connections_count",
            Some(balance.requests_on_kept_connections as f64),
            format!(
                "{} of {} requests on a kept connection, without a choice",
                balance.requests_on_kept_connections, balance.requests
            ),
        ),
    ]
}
