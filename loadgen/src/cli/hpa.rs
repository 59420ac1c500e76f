//! `loadgen hpa`.

use std::time::Duration;

use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::args::{LoadArgs, ResultArgs, TargetArgs};
use super::exit::Failure;
use super::rates::Step;
use super::run::{perform, setup_for};
use crate::cluster::act::{ActError, Actor};
use crate::cluster::{Cluster, Timeline};
use crate::experiment::hpa::Hpa;
use crate::raw::Schedule;

pub const HELP: &str = "Examples:
  loadgen hpa --path '/predict?burn_ms=5'
  loadgen hpa --steps 10:20s,60:90s,10:3m --path '/predict?burn_ms=5'
  loadgen hpa --hpa api-gateway-hpa --steps 50:20s,400:2m,50:6m
  loadgen hpa --hpa php-apache-hpa --steps 1:20s,15:90s,1:2m

The inference server of the local images burns as much CPU for a request as `burn_ms` says; http-echo does not know that
and hardly uses any, as the assignment says itself. php-apache is asked at its own Service, which must be reachable from
here: through a node port, or with --url.";

/// `hpa`.
#[derive(Clone, Debug, Args)]
pub struct HpaArgs {
    /// The autoscaler.
    #[arg(long, value_name = "NAME", default_value = "ml-inference-hpa", help_heading = "Experiment")]
    pub hpa: String,
    /// One rate after the other: before, the rise, and after; long enough for the windows of both ways.
    #[arg(long, value_name = "RATE:TIME,…", value_delimiter = ',', default_value = "10:20s,60:90s,10:3m", conflicts_with_all = ["rate", "poisson"], help_heading = "Experiment")]
    pub steps: Vec<Step>,
    /// Wait this long for the autoscaler's first metric.
    #[arg(long, value_name = "TIME", default_value = "3m", value_parser = humantime::parse_duration, help_heading = "Experiment")]
    pub metrics_timeout: Duration,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// A load that rises and falls, and an autoscaler that follows.
pub async fn hpa(args: &HpaArgs) -> Result<u8, Failure> {
    let schedule =
        Schedule::Steps { steps: args.steps.iter().map(|step| (step.rate_per_s, step.length.as_secs_f64())).collect() };
    let mut target = args.target.clone();
    let deployment = scaled(args, &target).await?;
    if deployment != target.deployment && deployment != target.gateway_deployment {
        // A third Deployment, such as php-apache: clients ask its own Service, and nothing stands between.
        target.gateway_service = service_of(&target, &deployment).await?;
        target.gateway_deployment.clone_from(&deployment);
        if target.path == "/predict" {
            "/".clone_into(&mut target.path);
        }
    }
    let experiment = Hpa { autoscaler: args.hpa.clone(), deployment, patience: args.metrics_timeout };
    perform(&experiment, &setup_for(&experiment, schedule, &args.load, &target, &args.result)?, &args.result).await
}

async fn actor(target: &TargetArgs) -> Result<Actor, Failure> {
    let cluster = Cluster::connect(target.context.as_deref()).await.map_err(Failure::tool)?;
    Ok(Actor { client: cluster.client, namespace: target.namespace.clone(), timeline: Timeline::nowhere() })
}

/// The Deployment that the autoscaler scales.
async fn scaled(args: &HpaArgs, target: &TargetArgs) -> Result<String, Failure> {
    let autoscaler = actor(target).await?.autoscaler(&args.hpa).await.map_err(Failure::tool)?;
    let name = autoscaler.target.strip_prefix("deployment/").map(str::to_owned);
    name.ok_or_else(|| {
        Failure::tool(format!(
            "hpa/{} scales {}, not a Deployment\n  fix: name another with --hpa",
            args.hpa, autoscaler.target
        ))
    })
}

/// The Service that selects a Deployment's pods.
async fn service_of(target: &TargetArgs, deployment: &str) -> Result<String, Failure> {
    let actor = actor(target).await?;
    let failed = |what: String| move |error| Failure::tool(ActError::api(what)(error));
    let deployments: Api<Deployment> = Api::namespaced(actor.client.clone(), &actor.namespace);
    let found = deployments.get(deployment).await.map_err(failed(format!("read deployment/{deployment}")))?;
    let labels = found.spec.and_then(|spec| spec.template.metadata).and_then(|meta| meta.labels).unwrap_or_default();
    let services: Api<Service> = Api::namespaced(actor.client.clone(), &actor.namespace);
    let list = services.list(&ListParams::default()).await.map_err(failed("list services".to_owned()))?;
    let service = list.items.iter().find(|service| {
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        selector.is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        })
    });
    let Some(service) = service else {
        return Err(Failure::tool(format!(
            "no Service of namespace {} selects the pods of deployment/{deployment}\n  fix: `kubectl expose deployment {deployment} -n {} --type NodePort`",
            actor.namespace, actor.namespace
        )));
    };
    let name = service.name_any();
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    let reachable = ports.is_some_and(|ports| ports.iter().any(|port| port.node_port.is_some()));
    if !reachable && target.url.is_none() {
        return Err(Failure::tool(format!(
            "service/{name} has no node port, so it cannot be reached from outside of the cluster\n  fix: `kubectl patch service {name} -n {} -p '{{\"spec\":{{\"type\":\"NodePort\"}}}}'`, or give its URL with --url",
            actor.namespace
        )));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use crate::cli::Cli;
    use crate::cli::args::Command;

    #[test]
    fn the_steps_have_a_default_and_replace_the_rate() {
        let Command::Hpa(args) = Cli::try_parse_from(["loadgen", "hpa"]).unwrap().command else { panic!("not hpa") };
        assert_eq!(args.steps.len(), 3);
        assert!(Cli::try_parse_from(["loadgen", "hpa", "--steps", "1:2s", "--rate", "5"]).is_err());
        assert!(Cli::try_parse_from(["loadgen", "scale", "--to", "0"]).is_err());
    }
}
