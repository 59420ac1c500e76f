//! One pod's end: its steps on an axis of time, and the requests lost below it.

use super::format::after_ms;
use super::scale::{Scale, Tick};
use crate::report::schema::{Deletion, Report};

pub struct ChainChart<'r> {
    pub deletion: &'r Deletion,
    pub ticks: Vec<Tick>,
    pub steps: Vec<Step<'r>>,
    /// Places of lost requests' attempts.
    pub lost: Vec<String>,
    pub begins_with: &'r str,
}

pub struct Step<'r> {
    pub number: usize,
    pub name: &'r str,
    pub words: &'static str,
    pub source: &'r str,
    pub after: String,
    pub x: Option<String>,
    /// Steps close to each other are drawn on different heights.
    pub y: usize,
}

impl<'r> ChainChart<'r> {
    pub fn new(report: &'r Report, deletion: &'r Deletion) -> Self {
        let of_pod = report.failures.iter().filter(|failure| failure.pod_uid.as_deref() == Some(deletion.uid.as_str()));
        let lost_ms: Vec<f64> = of_pod.filter_map(|failure| failure.after_deletion_ms).collect();
        let steps_ms = deletion.chain.iter().filter_map(|step| step.after_ms);
        let last_ms = steps_ms.chain(lost_ms.iter().copied()).fold(1.0, f64::max);
        let scale = Scale::logarithmic(last_ms);
        let steps = deletion.chain.iter().enumerate().map(|(n, step)| Step {
            number: n + 1,
            name: &step.step,
            words: words(&step.step),
            source: &step.source,
            after: after_ms(step.after_ms),
            x: step.after_ms.map(|ms| scale.x(ms)),
            y: 22 + (n % 3) * 20,
        });
        let first = deletion.chain.iter().find(|step| step.at_ns.is_some());
        Self {
            deletion,
            ticks: scale.ticks(|ms| if ms < 1_000.0 { format!("{ms} ms") } else { format!("{} s", ms / 1_000.0) }),
            steps: steps.collect(),
            lost: lost_ms.iter().map(|ms| scale.x(*ms)).collect(),
            begins_with: first.map_or("", |step| step.step.as_str()),
        }
    }
}

fn words(step: &str) -> &'static str {
    match step {
        "deletion_requested" => "we asked the API to delete it",
        "terminating_seen" => "the watch showed its deletion time stamp",
        "endpoint_removed" => "it was no longer a ready endpoint",
        "last_new_connection" => "a rule sent the last new connection to it",
        "listener_gone" => "the first connection was refused",
        "address_gone" => "the first connection was not answered at all",
        "last_byte" => "the last byte of an answer left it",
        "pod_gone" => "the object was gone",
        _ => "",
    }
}
