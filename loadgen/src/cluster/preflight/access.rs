//! Permissions, asked of the API server itself.

use std::fmt;

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::finding::Report;
use crate::cluster::Cluster;
use crate::cluster::connect::words;

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    verb: String,
    group: String,
    resource: String,
    subresource: String,
    namespace: Option<String>,
}

impl Permission {
    /// `namespace` `None`: the whole cluster.
    pub fn new(verb: &str, group: &str, resource: &str, subresource: &str, namespace: Option<&str>) -> Self {
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.map(str::to_owned),
        }
    }

    fn review(&self) -> SelfSubjectAccessReview {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: some(&self.verb),
                    group: some(&self.group),
                    resource: some(&self.resource),
                    subresource: some(&self.subresource),
                    namespace: self.namespace.clone(),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => write!(f, " in the whole cluster"),
        }
    }
}

/// Asks for all of them.
pub async fn check(cluster: &Cluster, permissions: &[Permission], report: &mut Report) {
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let answers = join_all(permissions.iter().map(|permission| {
        let api = api.clone();
        async move { api.create(&PostParams::default(), &permission.review()).await }
    }))
    .await;
    let mut refused = 0;
    for (permission, answer) in permissions.iter().zip(answers) {
        match answer {
            Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => {
                refused += 1;
                let fix = format!("let an administrator grant it; check with `kubectl auth can-i {permission}`");
                report.error(format!("you may not {permission}"), fix.replace(" in namespace ", " -n "));
            }
            Err(error) => {
                refused += 1;
                report.error(
                    format!("cannot ask whether you may {permission}: {}", words(&error)),
                    "check your login with `kubectl auth whoami`",
                );
            }
        }
    }
    if refused == 0 {
        report.ok(format!("all {} permissions are there", permissions.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_sentence() {
        let permission = Permission::new("create", "", "pods", "portforward", Some("podwitness"));
        assert_eq!(permission.to_string(), "create pods/portforward in namespace podwitness");
        let permission = Permission::new("patch", "apps", "deployments", "", None);
        assert_eq!(permission.to_string(), "patch deployments.apps in the whole cluster");
    }
}
