//! Looking before anything is touched: each finding with its fix.

mod access;
mod finding;
mod objects;

pub use access::Permission;
pub use finding::{Finding, Level, Report};

use super::observer::{Agents, find};
use super::{Cluster, Target};

/// What an experiment needs besides the objects.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Permissions without which it cannot run.
    pub permissions: Vec<Permission>,
    /// It wants the agents.
    pub observer: bool,
}

/// What was found.
pub struct Preflight {
    /// All findings.
    pub report: Report,
    /// The agents, when they are wanted.
    pub agents: Option<Agents>,
}

/// Permissions that every experiment needs in the lab's namespace.
pub fn common_permissions(target: &Target) -> Vec<Permission> {
    let lab = |verb, group, resource| Permission::new(verb, group, resource, "", Some(&target.namespace));
    let mut all = vec![lab("get", "", "services"), lab("get", "apps", "deployments")];
    for verb in ["list", "watch"] {
        all.push(lab(verb, "", "pods"));
        all.push(lab(verb, "", "events"));
        all.push(lab(verb, "apps", "replicasets"));
        all.push(lab(verb, "discovery.k8s.io", "endpointslices"));
    }
    all
}

/// Looks at everything, also when the first thing is wrong already.
pub async fn check(cluster: &Cluster, target: &Target, needs: &Needs) -> Preflight {
    let mut report = Report::default();
    let context = cluster.context.as_deref().unwrap_or("the pod's own service account");
    report.ok(format!("API server {} answers: {} (context {context})", cluster.server, cluster.version));
    let there = objects::check(cluster, target, &mut report).await;
    if there {
        let mut permissions = common_permissions(target);
        permissions.extend(needs.permissions.iter().cloned());
        if needs.observer {
            permissions.push(Permission::new("list", "", "pods", "", Some(&target.observer_namespace)));
            permissions.push(Permission::new("create", "", "pods", "portforward", Some(&target.observer_namespace)));
        }
        access::check(cluster, &permissions, &mut report).await;
    }
    let agents = if needs.observer { observers(cluster, target, &mut report).await } else { None };
    Preflight { report, agents }
}

async fn observers(cluster: &Cluster, target: &Target, report: &mut Report) -> Option<Agents> {
    let namespace = &target.observer_namespace;
    let install = "`kubectl apply -k k8s/observer`, or go on without it: --no-observer";
    let agents = match find(&cluster.client, namespace).await {
        Ok(agents) => agents,
        Err(error) => {
            let what =
                format!("cannot look for the observer in namespace `{namespace}`: {}", super::connect::words(&error));
            report.error(what, install);
            return None;
        }
    };
    if agents.running.is_empty() {
        let what = format!("no observer runs in namespace `{namespace}`");
        report.error(
            if agents.missing.is_empty() { what } else { format!("{what}: {}", agents.missing.join("; ")) },
            install,
        );
        return None;
    }
    for missing in &agents.missing {
        report.warn(missing.clone(), format!("see `kubectl get pods -n {namespace} -o wide`"));
    }
    for agent in &agents.running {
        let healthy = async { agent.open().await?.health().await };
        match healthy.await {
            Ok(()) => report.ok(format!("the observer on node {} is healthy", agent.node)),
            Err(error) => {
                let text = error.to_string();
                let (what, fix) = text.split_once("\n  fix: ").unwrap_or((&text, install));
                report.error(what.to_owned(), fix.to_owned());
            }
        }
    }
    Some(agents)
}
