//! `kubectl rollout undo`. The API server has no such call: kubectl reads the history from the `ReplicaSet`s and sends a
//! patch, and so do we, by the same rules (`k8s.io/kubectl/pkg/polymorphichelpers/rollback.go`, 1.36).

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};

use super::pods::controller;
use super::{ActError, Actor};
use crate::load::monotonic_ns;

/// Why a revision was made, in its author's words.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
const REVISION: &str = "deployment.kubernetes.io/revision";
/// A `ReplicaSet`'s own label on its template.
const HASH: &str = "pod-template-hash";

/// Annotations that a Deployment keeps; all others become those of the revision.
const KEPT: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// What an undo would do.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// This JSON patch.
    Patch {
        /// To be sent.
        patch: Value,
        /// In words.
        detail: String,
    },
    /// The Deployment has that revision's template already.
    Skip {
        /// That revision.
        revision: i64,
    },
}

/// Why there is nothing to undo.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUndo {
    /// A change of it would start no rollout.
    #[error("it is paused")]
    Paused,
    /// There is one revision at most.
    #[error("it has no earlier revision")]
    NoHistory,
    /// There is no such revision.
    #[error("it has no revision {0}; it has {1}")]
    NoRevision(i64, String),
}

/// A Deployment with its `ReplicaSet`s, and what to do. `to`: that revision; `None`: the one before the latest.
pub fn plan(deployment: &Value, sets: &[Value], to: Option<i64>) -> Result<Plan, NoUndo> {
    let mut revisions: Vec<(i64, &Value)> = sets.iter().filter_map(|set| Some((revision(set)?, set))).collect();
    revisions.sort_by_key(|(revision, _)| std::cmp::Reverse(*revision));
    let target = match to {
        Some(wanted) => revisions.iter().find(|(revision, _)| *revision == wanted).ok_or_else(|| {
            let known: Vec<String> = revisions.iter().rev().map(|(revision, _)| revision.to_string()).collect();
            NoUndo::NoRevision(wanted, if known.is_empty() { "none".to_owned() } else { known.join(", ") })
        })?,
        None => revisions.get(1).ok_or(NoUndo::NoHistory)?,
    };
    if deployment.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Err(NoUndo::Paused);
    }
    let template = without_hash(target.1.pointer("/spec/template"));
    if template == without_hash(deployment.pointer("/spec/template")) {
        return Ok(Plan::Skip { revision: target.0 });
    }
    let annotations = annotations(deployment, annotations_of(target.1));
    let patch = json!([
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]);
    let cause = |object: &Value| {
        let cause = annotations_of(object).and_then(|all| all.get(CHANGE_CAUSE)?.as_str());
        cause.map_or_else(|| "no change-cause".to_owned(), |cause| format!("\"{cause}\""))
    };
    let from = revision(deployment).map_or("?".to_owned(), |revision| revision.to_string());
    let detail = format!("from revision {from} ({}) to revision {} ({})", cause(deployment), target.0, cause(target.1));
    Ok(Plan::Patch { patch, detail })
}

/// The kept ones of the Deployment, and all others of `from`.
pub fn annotations(deployment: &Value, from: Option<&Map<String, Value>>) -> Map<String, Value> {
    let kept = annotations_of(deployment).into_iter().flatten().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let new = from.into_iter().flatten().filter(|(name, _)| !KEPT.contains(&name.as_str()));
    kept.chain(new).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn annotations_of(object: &Value) -> Option<&Map<String, Value>> {
    object.pointer("/metadata/annotations")?.as_object()
}

fn revision(object: &Value) -> Option<i64> {
    annotations_of(object)?.get(REVISION)?.as_str()?.parse().ok()
}

fn without_hash(template: Option<&Value>) -> Value {
    let mut template = template.cloned().unwrap_or_default();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template
}

/// A Deployment as it was before an undo or an update.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// UID.
    pub uid: String,
    /// `spec.template`.
    pub template: Value,
    /// `metadata.annotations`.
    pub annotations: Map<String, Value>,
}

impl Actor {
    async fn read(&self, deployment: &str) -> Result<(String, Value), ActError> {
        let resource = ApiResource::erase::<Deployment>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let what = format!("read deployment/{deployment}");
        let object = api.get(deployment).await.map_err(ActError::api(what))?;
        Ok((object.uid().unwrap_or_default(), value(&object)))
    }

    /// Template and annotations.
    pub async fn whole(&self, deployment: &str) -> Result<Whole, ActError> {
        let (uid, object) = self.read(deployment).await?;
        let template = object.pointer("/spec/template").cloned().unwrap_or_default();
        Ok(Whole { uid, template, annotations: annotations_of(&object).cloned().unwrap_or_default() })
    }

    /// What an undo would do now.
    pub async fn plan_undo(&self, deployment: &str, to: Option<i64>) -> Result<Plan, ActError> {
        let (uid, object) = self.read(deployment).await?;
        let resource = ApiResource::erase::<ReplicaSet>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let what = format!("read the history of deployment/{deployment}");
        let sets = api.list(&ListParams::default()).await.map_err(ActError::api(what))?;
        let own = |set: &&DynamicObject| controller(*set) == Some(uid.as_str());
        let sets: Vec<Value> = sets.items.iter().filter(own).map(value).collect();
        plan(&object, &sets, to).map_err(|why| ActError::Unfit {
            what: format!("deployment/{deployment} cannot be rolled back: {why}"),
            fix: match why {
                NoUndo::Paused => format!("`kubectl rollout resume -n {} deployment/{deployment}`", self.namespace),
                NoUndo::NoHistory => {
                    "make a revision first, as Step 10.3 does: `kubectl set image`, or --image IMAGE here".to_owned()
                }
                NoUndo::NoRevision(..) => {
                    format!("see `kubectl rollout history -n {} deployment/{deployment}`", self.namespace)
                }
            },
        })
    }

    /// Does it. `Ok(None)`: skipped, the template is that already.
    pub async fn undo(&self, deployment: &str, to: Option<i64>) -> Result<Option<String>, ActError> {
        let Plan::Patch { patch, detail } = self.plan_undo(deployment, to).await? else { return Ok(None) };
        self.patch_json(deployment, "undo", &patch, &detail).await?;
        Ok(Some(detail))
    }

    /// Sets the first container's image, and says why in the annotation that the history shows.
    pub async fn set_image_because(&self, deployment: &str, image: &str, cause: &str) -> Result<(), ActError> {
        let (_, object) = self.read(deployment).await?;
        let mut all = annotations_of(&object).cloned().unwrap_or_default();
        all.insert(CHANGE_CAUSE.to_owned(), json!(cause));
        let patch = json!([
            {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image},
            {"op": "add", "path": "/metadata/annotations", "value": all},
        ]);
        self.patch_json(deployment, "set_image", &patch, &format!("{image}, change-cause \"{cause}\"")).await
    }

    /// Puts template and annotations back at once: the controller copies a Deployment's annotations to the revision that
    /// is current at that moment, and one after the other would write into the wrong one. `Ok(false)`: they are that already.
    pub async fn put_back_whole(&self, deployment: &str, before: &Whole) -> Result<bool, ActError> {
        let (_, now) = self.read(deployment).await?;
        let annotations = annotations(&now, Some(&before.annotations));
        if now.pointer("/spec/template") == Some(&before.template) && annotations_of(&now) == Some(&annotations) {
            return Ok(false);
        }
        let patch = json!([
            {"op": "replace", "path": "/spec/template", "value": before.template},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]);
        self.patch_json(deployment, "restore", &patch, "the pod template and annotations of before the run").await?;
        Ok(true)
    }

    async fn patch_json(&self, deployment: &str, name: &str, patch: &Value, detail: &str) -> Result<(), ActError> {
        let what = format!("patch deployment/{deployment}");
        let parsed = serde_json::from_value(patch.clone())
            .map_err(|error| ActError::api(what.clone())(kube::Error::SerdeError(error)))?;
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let requested_ns = monotonic_ns();
        let object = api
            .patch(deployment, &PatchParams::default(), &Patch::Json::<()>(parsed))
            .await
            .map_err(ActError::api(what))?;
        self.timeline.action(name, &format!("deployment/{deployment}"), object.uid(), requested_ns, detail);
        Ok(())
    }
}

/// An object as the API gave it.
fn value(object: &DynamicObject) -> Value {
    let mut value = object.data.clone();
    value["metadata"] = serde_json::to_value(&object.metadata).unwrap_or_default();
    value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn object(revision: &str, image: &str, more: &Value) -> Value {
        let mut object = json!({
            "metadata": {"annotations": {REVISION: revision}},
            "spec": {"template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"image": image}]}}},
        });
        let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
        annotations.extend(more.as_object().unwrap().clone());
        object
    }

    fn set(revision: &str, image: &str, more: &Value) -> Value {
        let mut set = object(revision, image, more);
        set["spec"]["template"]["metadata"]["labels"][HASH] = json!("abc");
        set
    }

    #[test]
    fn the_second_highest_revision_is_taken_whatever_the_order() {
        let deployment = object("12", "c", &json!({CHANGE_CAUSE: "to c", "mine": "gone", KEPT[0]: "kept"}));
        let sets = [
            set("9", "a", &json!({})),
            set("12", "c", &json!({})),
            set("11", "b", &json!({CHANGE_CAUSE: "to b", "deployment.kubernetes.io/desired-replicas": "3"})),
        ];
        let Plan::Patch { patch, detail } = plan(&deployment, &sets, None).unwrap() else { panic!("skipped") };
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/spec/template", "value": object("", "b", &json!({}))["spec"]["template"]},
                {"op": "replace", "path": "/metadata/annotations",
                    "value": {REVISION: "12", KEPT[0]: "kept", CHANGE_CAUSE: "to b"}},
            ])
        );
        assert_eq!(detail, "from revision 12 (\"to c\") to revision 11 (\"to b\")");
        let Plan::Patch { patch, .. } = plan(&deployment, &sets, Some(9)).unwrap() else { panic!("skipped") };
        assert_eq!(patch[0]["value"]["spec"]["containers"][0]["image"], "a");
        assert_eq!(
            patch[1]["value"],
            json!({REVISION: "12", KEPT[0]: "kept"}),
            "a cause that is not there is taken away"
        );
    }

    #[test]
    fn it_is_refused_and_skipped_where_kubectl_does() {
        let deployment = object("2", "b", &json!({}));
        let sets = [set("1", "a", &json!({})), set("2", "b", &json!({}))];
        assert_eq!(plan(&deployment, &sets[1..], None), Err(NoUndo::NoHistory));
        assert_eq!(plan(&deployment, &sets, Some(7)), Err(NoUndo::NoRevision(7, "1, 2".into())));
        assert_eq!(plan(&deployment, &sets, Some(2)), Ok(Plan::Skip { revision: 2 }));
        let mut paused = deployment;
        paused["spec"]["paused"] = json!(true);
        assert_eq!(plan(&paused, &sets, None), Err(NoUndo::Paused));
    }
}
