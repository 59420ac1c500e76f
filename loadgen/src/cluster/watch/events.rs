//! Kubernetes events: `FailedPreStopHook`, `Killing`, `Unhealthy`, …

use std::collections::HashMap;

use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;

use super::Lens;
use crate::raw::Subject;

/// Counts already told, by event.
#[derive(Default)]
pub struct Events {
    told: HashMap<String, i32>,
}

impl Lens for Events {
    type Object = Event;
    const NAME: &'static str = "events";

    fn applied(&mut self, event: &Event, listed: bool) -> Option<Subject> {
        let count = event.series.as_ref().and_then(|series| series.count).or(event.count).unwrap_or(1);
        let told = self.told.insert(event.uid().unwrap_or_default(), count);
        // The API keeps events for an hour: those of before the run are not the run's.
        if listed || told == Some(count) {
            return None;
        }
        let object = &event.involved_object;
        Some(Subject::Event {
            reason: event.reason.clone().unwrap_or_default(),
            kind: event.type_.clone().unwrap_or_default(),
            message: event.message.clone().unwrap_or_default(),
            object: format!(
                "{}/{}",
                object.kind.as_deref().unwrap_or("?").to_lowercase(),
                object.name.as_deref().unwrap_or("?")
            ),
            uid: object.uid.clone(),
            count,
        })
    }

    fn deleted(&mut self, _event: &Event) -> Option<Subject> {
        None
    }
}
