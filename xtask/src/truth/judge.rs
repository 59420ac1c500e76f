//! The truth of an injector against the report, request by request. Pure: values in, values out.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a request is called that nothing was done to.
pub const NONE: &str = "none";

/// From when until when, `CLOCK_MONOTONIC` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// First moment.
    pub from_ns: u64,
    /// Last moment.
    pub to_ns: u64,
}

impl Window {
    fn contains(self, ns: u64) -> bool {
        (self.from_ns..=self.to_ns).contains(&ns)
    }
}

/// Which requests an injector hit. It must know without asking the observer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hits {
    /// Those whose number in the schedule ends in a hexadecimal digit from 0 to 7: the gateway's configuration picks them by it.
    TraceDigit,
    /// Every one that was sent in this window.
    Window(Window),
    /// Every one that was sent in this window came late by it, and where its client did not wait so long, that is what it met.
    LateIn(Window),
    /// Those that were sent in this window and failed: the rest met nothing.
    FailedIn(Window),
    /// So many, in the order in which they were sent, from then on.
    First {
        /// From then on.
        from_ns: u64,
        /// So many.
        count: u64,
        /// At either end of them so many may have been overtaken by another.
        fuzzy: u64,
    },
}

/// What an injector did, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The cause, as the report should name it.
    pub cause: &'static str,
    /// To whom.
    pub hits: Hits,
    /// How the injector knows.
    pub why: String,
}

/// What one run's injector says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// What it did.
    pub truths: Vec<Truth>,
    /// While it was acting, or while what it did wore off: a request sent then, and hit by no truth, is not judged.
    pub unsure: Vec<Window>,
    /// The node is busy with other things: a good answer that nothing was done to may be late by itself, and is not judged then.
    pub late_by_itself: bool,
}

/// One request as its sender and the report have it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number in the schedule.
    pub seq: u64,
    /// Trace id.
    pub trace_id: String,
    /// When it was sent.
    pub sent_ns: u64,
    /// The client got a good answer.
    pub succeeded: bool,
    /// The report's cause.
    pub reported: Option<String>,
}

/// A request that the report calls by a wrong name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Trace id.
    pub trace_id: String,
    /// What was done to it.
    pub truth: String,
    /// What the report says.
    pub reported: String,
}

/// Rows: truth; columns: report.
pub type Matrix = BTreeMap<String, BTreeMap<String, u64>>;

/// One run, judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Truth against report.
    pub matrix: Matrix,
    /// Should have been hit, and got a good answer all the same.
    pub escaped: BTreeMap<String, u64>,
    /// Sent at a time when the injector was not sure.
    pub unsure: u64,
    /// Everything off the diagonal.
    pub mistakes: Vec<Mistake>,
}

/// Judges each request.
pub fn judge(said: &Said, requests: &[Request]) -> Judged {
    let mut order: Vec<&Request> = requests.iter().collect();
    order.sort_by_key(|request| (request.sent_ns, request.seq));
    let mut judged = Judged::default();
    let mut counted = vec![0; said.truths.len()];
    for request in order {
        let truth = match truth_of(said, request, &mut counted) {
            Verdict::Is(cause) => cause,
            Verdict::Unsure => {
                judged.unsure += 1;
                continue;
            }
        };
        let reported = request.reported.as_deref().unwrap_or(NONE);
        if request.succeeded && truth != NONE && reported == NONE {
            // A good answer has no cause to be wrong about: this says something of the injector, not of the report.
            *judged.escaped.entry(truth.to_owned()).or_insert(0) += 1;
            continue;
        }
        if said.late_by_itself && request.succeeded && truth == NONE && reported != NONE {
            judged.unsure += 1;
            continue;
        }
        *judged.matrix.entry(truth.to_owned()).or_default().entry(reported.to_owned()).or_insert(0) += 1;
        if truth != reported {
            judged.mistakes.push(Mistake {
                trace_id: request.trace_id.clone(),
                truth: truth.to_owned(),
                reported: reported.to_owned(),
            });
        }
    }
    judged
}

enum Verdict {
    Is(&'static str),
    Unsure,
}

fn truth_of(said: &Said, request: &Request, counted: &mut [u64]) -> Verdict {
    let mut unsure = said.unsure.iter().any(|window| window.contains(request.sent_ns));
    for (truth, counted) in said.truths.iter().zip(counted) {
        let hit = match truth.hits {
            Hits::TraceDigit => request.seq % 16 < 8,
            Hits::Window(window) => window.contains(request.sent_ns),
            Hits::LateIn(window) => {
                let inside = window.contains(request.sent_ns);
                if inside && !request.succeeded {
                    return Verdict::Is("client_timeout");
                }
                inside
            }
            Hits::FailedIn(window) => {
                let inside = window.contains(request.sent_ns);
                if inside && request.succeeded {
                    return Verdict::Is(NONE);
                }
                inside
            }
            Hits::First { from_ns, count, fuzzy } => {
                if request.sent_ns >= from_ns {
                    *counted += 1;
                    let number = *counted;
                    let near_the_end = fuzzy > 0 && number.abs_diff(count) <= fuzzy;
                    unsure |= near_the_end;
                    number <= count && !near_the_end
                } else {
                    false
                }
            }
        };
        if hit {
            return Verdict::Is(truth.cause);
        }
    }
    if unsure { Verdict::Unsure } else { Verdict::Is(NONE) }
}

/// Adds one run to the others.
pub fn add(all: &mut Matrix, one: &Matrix) {
    for (truth, row) in one {
        for (reported, count) in row {
            *all.entry(truth.clone()).or_default().entry(reported.clone()).or_insert(0) += count;
        }
    }
}

/// What a matrix is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Requests judged.
    pub judged: u64,
    /// Called by a wrong name; `unknown` is none.
    pub wrong: u64,
    /// Without a name.
    pub unknown: u64,
    /// Share without a name, of those that something was done to. `null`: nothing was done to any.
    pub unknown_ratio: Option<f64>,
}

/// Sums up.
pub fn score(matrix: &Matrix) -> Score {
    let mut score = Score::default();
    let mut hit = 0;
    for (truth, row) in matrix {
        for (reported, count) in row {
            score.judged += count;
            hit += if truth == NONE { 0 } else { *count };
            if reported == "unknown" {
                score.unknown += count;
            } else if reported != truth {
                score.wrong += count;
            }
        }
    }
    score.unknown_ratio = (hit > 0).then(|| score.unknown as f64 / hit as f64);
    score
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(seq: u64, sent_ns: u64, reported: Option<&str>) -> Request {
        let reported = reported.map(str::to_owned);
        Request { seq, trace_id: format!("{seq:032x}"), sent_ns, succeeded: reported.is_none(), reported }
    }

    fn said(hits: Hits) -> Said {
        let truth = Truth { cause: "pod_5xx", hits, why: String::new() };
        Said { truths: vec![truth], unsure: vec![Window { from_ns: 90, to_ns: 110 }], ..Said::default() }
    }

    #[test]
    fn the_digit_decides_and_a_wrong_name_is_a_mistake() {
        let requests = [request(7, 1, Some("pod_5xx")), request(8, 2, None), request(16, 3, Some("gateway_error"))];
        let judged = judge(&said(Hits::TraceDigit), &requests);
        assert_eq!(judged.matrix["pod_5xx"]["pod_5xx"], 1);
        assert_eq!(judged.matrix["pod_5xx"]["gateway_error"], 1);
        assert_eq!(judged.matrix[NONE][NONE], 1);
        assert_eq!(judged.mistakes.len(), 1);
        let score = score(&judged.matrix);
        assert_eq!((score.judged, score.wrong, score.unknown), (3, 1, 0));
    }

    #[test]
    fn outside_of_a_window_a_failure_is_a_mistake_and_near_it_nothing() {
        let hits = Hits::Window(Window { from_ns: 100, to_ns: 105 });
        let requests = [
            request(1, 50, Some("unknown")),
            request(2, 95, Some("pod_5xx")),
            request(3, 100, Some("pod_5xx")),
            request(4, 101, None),
            request(5, 200, None),
        ];
        let judged = judge(&said(hits), &requests);
        assert_eq!(judged.matrix[NONE], BTreeMap::from([("none".into(), 1), ("unknown".into(), 1)]));
        assert_eq!(judged.matrix["pod_5xx"], BTreeMap::from([("pod_5xx".into(), 1)]));
        assert_eq!((judged.escaped["pod_5xx"], judged.unsure), (1, 1));
        assert_eq!(score(&judged.matrix).unknown_ratio, Some(1.0));
    }

    #[test]
    fn the_first_so_many_in_order_of_time() {
        let hits = Hits::First { from_ns: 200, count: 3, fuzzy: 1 };
        let requests: Vec<Request> = (0..8).map(|n| request(n, 197 + n, Some("pod_5xx"))).collect();
        let judged = judge(&Said { unsure: Vec::new(), ..said(hits) }, &requests);
        // 3 before, then: 1 hit, 3 near the edge, 1 after it.
        assert_eq!((judged.matrix["pod_5xx"]["pod_5xx"], judged.unsure, judged.mistakes.len()), (1, 3, 4));
    }

    #[test]
    fn a_success_among_those_that_may_fail_met_nothing() {
        let hits = Hits::FailedIn(Window { from_ns: 100, to_ns: 105 });
        let judged = judge(&said(hits), &[request(1, 101, None), request(2, 102, Some("pod_5xx"))]);
        assert_eq!((judged.matrix[NONE][NONE], judged.matrix["pod_5xx"]["pod_5xx"]), (1, 1));
    }

    #[test]
    fn what_makes_answers_late_may_exhaust_a_clients_patience() {
        let late = Request { succeeded: true, ..request(1, 101, Some("pod_5xx")) };
        let requests = [late, request(2, 102, Some("client_timeout")), request(3, 103, Some("pod_5xx"))];
        let judged = judge(&said(Hits::LateIn(Window { from_ns: 100, to_ns: 105 })), &requests);
        assert_eq!((judged.matrix["pod_5xx"]["pod_5xx"], judged.matrix["client_timeout"]["client_timeout"]), (1, 1));
        assert_eq!(judged.mistakes.len(), 1, "no client gave up on an answer of 500");
    }

    #[test]
    fn on_a_busy_node_only_a_late_success_is_not_judged() {
        let late = Request { succeeded: true, ..request(9, 200, Some("slow_gateway")) };
        let requests = [late, request(10, 201, Some("unknown"))];
        let hits = Hits::Window(Window { from_ns: 100, to_ns: 105 });
        let judged = judge(&Said { late_by_itself: true, ..said(hits.clone()) }, &requests);
        assert_eq!((judged.unsure, judged.mistakes.len()), (1, 1));
        assert_eq!(judge(&said(hits), &requests).mistakes.len(), 2);
    }
}
