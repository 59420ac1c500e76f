//! What somebody who asks once every 0.3 s, as the lab's shell loop does, would have seen of the same run.

use super::{Findings, measured};
use crate::correlate::context::Context;
use crate::report::schema::Measured;

/// From one request of the lab's loop to the next (Step 10.3: `sleep 0.3`).
const LOOP_GAP_NS: u64 = 300_000_000;
/// A run with fewer requests per gap has no samples to speak of.
const FEWEST_LOOPS: usize = 10;
/// How long kube-proxy may take to follow (its least interval between two syncs).
const AT_RISK_NS: u64 = 1_000_000_000;

/// The outcomes of all loops that start at one of the first requests and then ask once per gap.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Loops {
    count: usize,
    without_loss: usize,
    /// Lost requests of a loop, on average.
    mean_lost: f64,
}

/// Takes every loop out of a dense run. `requests` are due times and whether they failed, in order of time.
fn loops(requests: &[(u64, bool)], gap_ns: u64) -> Option<Loops> {
    let first_ns = requests.first()?.0;
    let starts = requests.partition_point(|(due_ns, _)| *due_ns < first_ns + gap_ns);
    if starts < FEWEST_LOOPS {
        return None;
    }
    // From the end: a loop loses what its first request loses and what the loop from its second one on does.
    let (mut lost, mut second) = (vec![0_u32; requests.len() + 1], requests.len());
    for (first, (due_ns, failed)) in requests.iter().enumerate().rev() {
        while requests[second - 1].0 >= due_ns + gap_ns {
            second -= 1;
        }
        lost[first] = lost[second] + u32::from(*failed);
    }
    let lost = &lost[..starts];
    Some(Loops {
        count: starts,
        without_loss: lost.iter().filter(|lost| **lost == 0).count(),
        mean_lost: f64::from(lost.iter().sum::<u32>()) / starts as f64,
    })
}

/// Why a sparse look shows little: figures for the evidence, and a sentence for the claim.
pub fn seen_by_the_labs_loop(ctx: &Context<'_, '_>, findings: &Findings<'_>) -> (Vec<Measured>, String) {
    let outcomes = ctx.client.iter().map(|request| (request.due_ns, !request.succeeded()));
    let mut requests: Vec<(u64, bool)> = outcomes.collect();
    requests.sort_unstable();
    let Some(loops) = loops(&requests, LOOP_GAP_NS) else { return sparse(&requests, findings) };
    if findings.ledger.failed == 0 {
        return (Vec::new(), String::new());
    }
    let quiet = loops.without_loss as f64 / loops.count as f64;
    let text = format!(
        "computed from this run's requests: of the {} ways to ask only once every 0.3 s, {} show no failure; {:.1} failures on average",
        loops.count, loops.without_loss, loops.mean_lost
    );
    let figures = vec![
        measured("every_300_ms_mean_failed_count", Some(loops.mean_lost), text.clone()),
        measured("every_300_ms_without_failure_ratio", Some(quiet), text),
    ];
    let claim = format!(
        " A loop that asks once every 0.3 s, as the lab's does, would have lost {:.1} requests of this run on average, and none at all in {:.0} % of the cases: the gap at a pod's end is short, and a request must fall into it.",
        loops.mean_lost,
        quiet * 100.0
    );
    (figures, claim)
}

/// A run that was as sparse itself.
fn sparse(requests: &[(u64, bool)], findings: &Findings<'_>) -> (Vec<Measured>, String) {
    let starts = findings.deletions.iter().filter_map(|deletion| {
        let signs = deletion.chain.iter().filter_map(|step| step.at_ns);
        signs.min()
    });
    let due_by = |at_ns: u64| requests.partition_point(|(due_ns, _)| *due_ns < at_ns);
    let starts: Vec<u64> = starts.collect();
    if starts.is_empty() {
        return (Vec::new(), String::new());
    }
    let at_risk: usize = starts.iter().map(|at_ns| due_by(at_ns + AT_RISK_NS) - due_by(*at_ns)).sum();
    let text = format!(
        "{at_risk} of {} requests were due in the second after the deletion of one of {} pods",
        requests.len(),
        starts.len()
    );
    let claim = format!(
        " Only {text}, the time that kube-proxy may take to follow, and just a share of these is sent to the pod that goes: so few requests say little. Send more, for example --rate 250."
    );
    (vec![measured("due_within_1_s_of_a_deletion_count", Some(at_risk as f64), text)], claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn every_loop_is_taken_once() {
        // 100/s for 3 s; everything due between 1.00 s and 1.15 s fails: half the loops meet it, once each.
        let requests: Vec<(u64, bool)> = (0..300).map(|n| (n * 10 * MS, (100..115).contains(&n))).collect();
        let loops = loops(&requests, 300 * MS);
        assert_eq!(loops, Some(Loops { count: 30, without_loss: 15, mean_lost: 0.5 }));
    }

    #[test]
    fn a_sparse_run_has_no_loops() {
        let requests: Vec<(u64, bool)> = (0..100).map(|n| (n * 300 * MS, false)).collect();
        assert_eq!(loops(&requests, 300 * MS), None);
        assert_eq!(loops(&[], 300 * MS), None);
    }
}
