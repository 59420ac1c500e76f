//! The report's section.

use super::choices::Level;
use super::decide::{Decision, FALSE_ALARM, Test, decide, least_choices, smallest_difference};
use super::evidence::{chosen_request, evidence};
use super::spread::Spread;
use crate::correlate::context::Context;
use crate::correlate::what_if;
use crate::report::schema::{Balance, BalanceTest, PodShare};
use crate::stats::{Clusters, WITHIN_RUN, clustered_share, ratio, wilson};

/// The section. `None`: no observer, or fewer than two pods that were there all the time.
pub fn balance(ctx: &Context<'_, '_>) -> Option<Balance> {
    if !ctx.observed() {
        return None;
    }
    let spread = Spread::of(ctx);
    if spread.pods.len() < 2 || spread.requests() == 0 {
        return None;
    }
    let decision = decide(&spread.choices, FALSE_ALARM);
    let whole_shares = decision.tests.iter().find_map(|(level, test)| match test {
        Test::Shares(shares) if *level == Level::Whole => Some(shares.p),
        _ => None,
    });
    let counts: Vec<String> = spread.choices.counts().iter().map(ToString::to_string).collect();
    let connections = spread.choices.len() as u64;
    let own = ctx.raw.run.experiment == "balance";
    let forecasts = if own { what_if::of_run(ctx, &spread.pods) } else { None };
    let (what_if, what_if_model) = forecasts.map_or((Vec::new(), None), |(list, model)| (list, Some(model)));
    Some(Balance {
        pods_compared: spread.pods.len() as u64,
        connections,
        requests: spread.requests(),
        p_equal_shares: whole_shares,
        pattern: decision.pattern.name().to_owned(),
        explanation: format!(
            "{connections} connections over {} pods: {}; {}",
            spread.pods.len(),
            counts.join(" / "),
            decision.why
        ),
        shares: shares(ctx, &spread),
        connections_kept: spread.kept(),
        requests_on_kept_connections: spread.on_kept,
        tests: tests(&decision),
        false_alarm_ratio: Some(FALSE_ALARM),
        least_connections: Some(least_choices(spread.pods.len())),
        smallest_difference_ratio: smallest_difference(spread.pods.len(), connections, decision.p_limit),
        decision: if own { chosen_request(ctx).and_then(|request| evidence(ctx, request)) } else { None },
        what_if,
        what_if_model,
    })
}

fn shares(ctx: &Context<'_, '_>, spread: &Spread) -> Vec<PodShare> {
    let connections = spread.choices.counts();
    let total = spread.choices.len() as u64;
    let share = |at: usize| {
        let life = ctx.cluster.pod(spread.pods[at]);
        let of_pod = |((requests, pod), count): (&(u32, u32), &u64)| {
            let members = u64::from(*requests);
            Clusters { members, hits: if *pod as usize == at { members } else { 0 }, count: *count }
        };
        let clusters: Vec<Clusters> = spread.connections.iter().map(of_pod).collect();
        let by_connection = wilson(connections[at] as f64, total as f64, WITHIN_RUN);
        let by_request = clustered_share(&clusters, WITHIN_RUN);
        PodShare {
            pod: life.name.to_owned(),
            pod_uid: life.uid.to_owned(),
            connections: connections[at],
            connections_ratio: ratio(connections[at], total),
            connections_low_ratio: by_connection.map(|interval| interval.low),
            connections_high_ratio: by_connection.map(|interval| interval.high),
            requests: clusters.iter().map(|alike| alike.hits * alike.count).sum(),
            requests_ratio: by_request.map(|(share, _)| share),
            requests_low_ratio: by_request.map(|(_, interval)| interval.low),
            requests_high_ratio: by_request.map(|(_, interval)| interval.high),
        }
    };
    (0..spread.pods.len()).map(share).collect()
}

fn tests(decision: &Decision) -> Vec<BalanceTest> {
    let report = |(level, test): &(Level, Test)| {
        let level = level.name().to_owned();
        let p_limit = decision.p_limit;
        match test {
            Test::Shares(test) => BalanceTest {
                test: "shares".to_owned(),
                level,
                choosers: test.choosers as u64,
                count: test.choices,
                repeats: None,
                repeats_expected: None,
                statistic: test.statistic,
                p: test.p,
                p_limit,
                effect: test.effect,
            },
            Test::Order(test) => BalanceTest {
                test: "order".to_owned(),
                level,
                choosers: test.choosers as u64,
                count: test.pairs,
                repeats: Some(test.repeats),
                repeats_expected: Some(test.expected),
                statistic: test.z,
                p: test.p,
                p_limit,
                effect: test.effect(),
            },
        }
    };
    decision.tests.iter().map(report).collect()
}
