//! Who changed the number of replicas, and when.

use crate::raw::{Subject, TimelineEntry};

/// One change of a Deployment's replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When the watch told of it.
    pub at_ns: u64,
    /// Deployment.
    pub deployment: String,
    /// Replicas before.
    pub from: i32,
    /// Replicas after.
    pub to: i32,
    /// Who.
    pub by: By,
}

/// Who changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// We did, asked for at this time.
    Us(u64),
    /// An autoscaler.
    Autoscaler,
    /// The field manager of that name. `None`: not told.
    Other(Option<String>),
}

impl By {
    /// As the report spells it.
    pub fn name(&self) -> String {
        match self {
            Self::Us(_) => "loadgen".to_owned(),
            Self::Autoscaler => "autoscaler".to_owned(),
            Self::Other(manager) => manager.clone().unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

impl Change {
    /// When it began: our request, else the moment at which it was known.
    pub fn start_ns(&self) -> u64 {
        match self.by {
            By::Us(requested_ns) => requested_ns.min(self.at_ns),
            _ => self.at_ns,
        }
    }
}

/// The controller that all autoscalers share writes under this name, through the scale subresource.
const CONTROLLER: &str = "kube-controller-manager (scale)";

/// All changes of all Deployments, in order of time.
pub fn changes(timeline: &[&TimelineEntry]) -> Vec<Change> {
    let mut ours: Vec<(&str, i32, u64)> = Vec::new();
    for entry in timeline {
        if let Subject::Action { name, target, requested_ns, detail, .. } = &entry.subject
            && (name == "scale_deployment" || name == "restore")
            && let Some(to) = detail.strip_prefix("to ").and_then(|rest| rest.strip_suffix(" replicas"))
            && let Ok(to) = to.parse()
        {
            ours.push((target, to, *requested_ns));
        }
    }
    let mut last: Vec<(&str, i32)> = Vec::new();
    let mut changes = Vec::new();
    for entry in timeline {
        let Subject::Deployment(now) = &entry.subject else { continue };
        if now.deleted {
            continue;
        }
        let Some((_, replicas)) = last.iter_mut().find(|(uid, _)| *uid == now.uid) else {
            last.push((&now.uid, now.replicas));
            continue;
        };
        if *replicas == now.replicas {
            continue;
        }
        let from = std::mem::replace(replicas, now.replicas);
        let target = format!("deployment/{}", now.name);
        let asked = ours
            .iter()
            .rev()
            .find(|(whose, to, requested_ns)| *whose == target && *to == now.replicas && *requested_ns <= entry.at_ns);
        let controller = now.replicas_by.as_deref() == Some(CONTROLLER);
        let by = match asked.filter(|_| !controller) {
            Some((_, _, requested_ns)) => By::Us(*requested_ns),
            None if controller => By::Autoscaler,
            None => By::Other(now.replicas_by.clone()),
        };
        changes.push(Change { at_ns: entry.at_ns, deployment: now.name.clone(), from, to: now.replicas, by });
    }
    changes
}
