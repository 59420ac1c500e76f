//! A manifest that sets `replicas` against an autoscaler: seen by who owns the field, and said.

use super::changes::{By, changes};
use crate::correlate::clock::ms_between;
use crate::raw::{Subject, TimelineEntry};

/// One sentence for each time somebody else set the replicas of a Deployment that an autoscaler governs.
pub fn warnings(timeline: &[&TimelineEntry], started_ns: u64) -> Vec<String> {
    let all = changes(timeline);
    let governed_by = |deployment: &str| {
        timeline.iter().find_map(|entry| match &entry.subject {
            Subject::Autoscaler(state) if state.target == format!("deployment/{deployment}") => {
                Some(state.name.as_str())
            }
            _ => None,
        })
    };
    all.iter()
        .enumerate()
        .filter_map(|(position, change)| {
            let By::Other(manager) = &change.by else { return None };
            let autoscaler = governed_by(&change.deployment)?;
            let who = manager.as_deref().unwrap_or("somebody");
            let undone = all[position + 1..]
                .iter()
                .find(|next| next.deployment == change.deployment && next.by == By::Autoscaler)
                .map_or_else(
                    || "the autoscaler had not changed it again when the run ended".to_owned(),
                    |next| {
                        let after_s = ms_between(change.at_ns, next.at_ns) / 1_000.0;
                        format!("the autoscaler set {} {after_s:.1} s later", next.to)
                    },
                );
            Some(format!(
                "at {:+.1} s {who} set deployment/{} from {} to {} replicas, although hpa/{autoscaler} governs it; {undone}: leave `replicas` out of a manifest that is applied again",
                ms_between(started_ns, change.at_ns) / 1_000.0,
                change.deployment,
                change.from,
                change.to,
            ))
        })
        .collect()
}
