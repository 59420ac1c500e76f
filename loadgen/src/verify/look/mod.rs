//! Asking the cluster. Nothing is judged here, and nothing but short-lived debug pods, where they are asked for, is made.

mod debug_pod;
mod dns;
mod message;
mod objects;
mod requests;

use std::time::Duration;

use reqwest::Url;

use super::check::names::{full_name, tried};
use super::facts::Facts;
use crate::cluster::restore::Journal;
use crate::cluster::{Cluster, Target, gateway};
use crate::load::RunId;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Question {
    /// Names of the lab's objects.
    pub target: Target,
    /// The gateway. `None`: found through its Service's node port.
    pub url: Option<Url>,
    /// How long to wait for the gateway's first good answer.
    pub patience: Duration,
    /// Id of this look.
    pub id: RunId,
    /// Keep values of Secrets.
    pub show_secrets: bool,
    /// Another namespace to look names up from.
    pub other_namespace: String,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Image of the debug pods. `None`: none are made.
    pub debug_image: Option<String>,
}

/// Looks at everything. What cannot be seen is part of the facts.
pub async fn look(cluster: &Cluster, question: &Question) -> Facts {
    let mut facts = objects::objects(cluster, question).await;
    let url = match &question.url {
        Some(url) => Some(url.clone()),
        None => gateway::discover(&cluster.client, &question.target, "/predict").await.ok(),
    };
    if let Some(url) = url {
        requests::ask(cluster, question, &url, &mut facts).await;
    }
    dns::ask(cluster, &names_to_ask(&facts), &mut facts.dns).await;
    facts
}

/// Makes the debug pods and takes them away again; both are in the journal first.
pub async fn look_from_inside(cluster: &Cluster, question: &Question, journal: &mut Journal, facts: &mut Facts) {
    let Some(image) = &question.debug_image else { return };
    let names = [facts.upstream.service_name.clone(), full_name(facts, &facts.upstream.service_name)];
    for namespace in [facts.namespace.clone(), facts.other_namespace.clone()] {
        let with_maps = namespace == facts.namespace;
        let look = debug_pod::Look { id: question.id, namespace: &namespace, image, names: &names, with_maps };
        facts.debug_pods.push(debug_pod::see(cluster, &look, journal).await);
    }
}

/// Both Services by their whole names, and the first one's short name as a resolver in either namespace tries it.
fn names_to_ask(facts: &Facts) -> Vec<String> {
    let services = [&facts.upstream.service_name, &facts.gateway.service_name];
    let mut names: Vec<String> = services.iter().map(|service| full_name(facts, service)).collect();
    for namespace in [&facts.namespace, &facts.other_namespace] {
        names.extend(tried(namespace, &facts.cluster_domain, &facts.upstream.service_name));
    }
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
