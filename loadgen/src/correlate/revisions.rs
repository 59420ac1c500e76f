//! The history of both Deployments, before and after.

use std::collections::BTreeMap;

use super::context::Context;
use crate::raw::Subject;
use crate::report::schema::RevisionReport;

/// Every revision of gateway and upstream, in order of Deployment and final number.
pub fn revisions(ctx: &Context<'_, '_>) -> Vec<RevisionReport> {
    let run = &ctx.raw.run;
    let mut by_name: BTreeMap<&str, RevisionReport> = BTreeMap::new();
    for entry in ctx.raw.timeline.iter().filter(|entry| entry.at_ns <= run.ended_ns) {
        let Subject::ReplicaSet { name, owner, revision, desired, image, change_cause, .. } = &entry.subject else {
            continue;
        };
        let deployment = owner.as_deref().and_then(|owner| owner.strip_prefix("deployment/"));
        let Some(deployment) = deployment else { continue };
        if deployment != run.config.upstream_deployment && deployment != run.config.gateway_deployment {
            continue;
        }
        let number = revision.as_ref().and_then(|text| text.parse().ok());
        let count = u64::try_from(*desired).unwrap_or(0);
        let known = by_name.entry(name).or_insert_with(|| RevisionReport {
            deployment: deployment.to_owned(),
            revision_at_start: None,
            revision_at_end: None,
            replica_set: name.clone(),
            image: None,
            change_cause: None,
            desired_at_start_count: 0,
            desired_at_end_count: 0,
        });
        if entry.at_ns <= run.started_ns {
            (known.revision_at_start, known.desired_at_start_count) = (number, count);
        }
        (known.revision_at_end, known.desired_at_end_count) = (number, count);
        known.image.clone_from(image);
        known.change_cause.clone_from(change_cause);
    }
    let mut all: Vec<RevisionReport> = by_name.into_values().collect();
    all.sort_by(|a, b| (&a.deployment, a.revision_at_end).cmp(&(&b.deployment, b.revision_at_end)));
    all
}
