//! `loadgen doctor`: every finding, each with its fix.

use super::args::DoctorArgs;
use super::exit::{Failure, TOOL};
use super::run::names;
use crate::cluster::act::Actor;
use crate::cluster::preflight::{self, Level, Needs, Permission, Report};
use crate::cluster::restore::leftovers::{self, boot_id};
use crate::cluster::restore::{journal, undo};
use crate::cluster::{Cluster, Timeline, gateway};

/// Looks at everything that any experiment needs.
pub async fn doctor(args: &DoctorArgs) -> Result<u8, Failure> {
    let target = names(&args.target);
    let cluster = Cluster::connect(args.target.context.as_deref()).await.map_err(Failure::tool)?;
    let namespace = Some(target.namespace.as_str());
    let needs = Needs {
        permissions: vec![
            Permission::new("delete", "", "pods", "", namespace),
            Permission::new("patch", "apps", "deployments", "", namespace),
            Permission::new("update", "apps", "deployments", "", namespace),
            Permission::new("patch", "apps", "deployments", "scale", namespace),
            Permission::new("list", "autoscaling", "horizontalpodautoscalers", "", namespace),
            Permission::new("watch", "autoscaling", "horizontalpodautoscalers", "", namespace),
        ],
        observer: !args.target.no_observer,
    };
    let mut report = preflight::check(&cluster, &target, &needs).await.report;
    let url = match &args.target.url {
        Some(url) => gateway::given(url, &args.target.path),
        None => gateway::discover(&cluster.client, &target, &args.target.path).await,
    };
    match url {
        Err(error) => report.error(error.what, error.fix),
        Ok(url) => match gateway::wait_for_answer(&url, args.target.patience).await {
            Ok(()) => report.ok(format!("the gateway answers at {url}")),
            Err(error) => report.error(error.what, error.fix),
        },
    }
    leftover(&cluster, args.clean, &mut report).await;
    for finding in &report.findings {
        println!("{finding}");
    }
    Ok(if report.worst() == Level::Error { TOOL } else { 0 })
}

async fn leftover(cluster: &Cluster, clean: bool, report: &mut Report) {
    let dir = match journal::default_dir() {
        Ok(dir) => dir,
        Err(error) => return report.warn(error.to_string(), "none is needed as long as nothing is changed"),
    };
    let (found, problems) = leftovers::find(&dir, &boot_id());
    for problem in problems {
        report.warn(problem, format!("look at it, then remove it from {}", dir.display()));
    }
    let mut none = true;
    for leftover in found {
        none = false;
        let what = format!(
            "the run of {} in namespace {} was cut short and left {} change(s)",
            leftover.entry.started_at,
            leftover.entry.namespace,
            leftover.entry.changes.len()
        );
        if !leftover.is_of(cluster) {
            let context = leftover.entry.context.as_deref().unwrap_or("its own");
            report.warn(format!("{what}, in another cluster"), format!("`loadgen doctor --clean --context {context}`"));
        } else if !clean {
            report.warn(what, "`loadgen doctor --clean` puts them back; so does the next run");
        } else {
            put_back(cluster, &leftover, report).await;
        }
    }
    if none {
        report.ok("no earlier run has left changes");
    }
}

async fn put_back(cluster: &Cluster, leftover: &leftovers::Leftover, report: &mut Report) {
    let actor = Actor {
        client: cluster.client.clone(),
        namespace: leftover.entry.namespace.clone(),
        timeline: Timeline::nowhere(),
    };
    for change in leftover.entry.changes.iter().rev() {
        match undo(&actor, change).await {
            Ok(done) => report.ok(done),
            Err(error) => return report.error(error.to_string(), "put it back by hand, then remove the journal file"),
        }
    }
    if let Err(error) = journal::forget(&leftover.path) {
        report.error(error.to_string(), "remove the file by hand");
    }
}
