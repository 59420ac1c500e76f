//! Where the demo runs: on a cluster of its own, or on one that is there.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context as _, Result, bail, ensure};
use podwitness_cluster::{Cluster, DEFAULT_ROOT, Metrics, Options, binaries};

use crate::{
    lab::{Lab, NAMESPACE, remove_others},
    run::{capture, root, run},
};

/// Namespace of the observer.
const OBSERVER: &str = "podwitness";

/// Where the demo runs. Dropping it takes away what it brought.
pub struct Place {
    kind: Kind,
    keep: bool,
}

enum Kind {
    /// Up for the demo alone.
    Embedded(Cluster),
    /// A context of the user's kubeconfig.
    Context(String),
}

impl Place {
    /// Brings up the embedded cluster with these images, and metrics at the short intervals where they are wanted.
    pub fn embedded(images: Vec<PathBuf>, metrics: bool, keep: bool, stop: Arc<AtomicBool>) -> Result<Self> {
        let metrics = if metrics { Metrics::Fast } else { Metrics::None };
        let bin_dir = Some(binaries::ensure(false)?);
        let cluster = Cluster::up_unless(&Options { images, bin_dir, metrics, ..Options::default() }, stop)?;
        let place = Self { kind: Kind::Embedded(cluster), keep };
        if let Kind::Embedded(cluster) = &place.kind {
            Lab::new(cluster).install_observer()?;
        }
        Ok(place)
    }

    /// Uses a cluster that is there. One that has a lab already is refused: it would be overwritten.
    pub fn context(name: &str, images: &[PathBuf], keep: bool) -> Result<Self> {
        for namespace in [NAMESPACE, OBSERVER] {
            let found =
                capture(kubectl(name).args(["get", "namespace", namespace, "--ignore-not-found", "-o", "name"]))?;
            ensure!(
                found.trim().is_empty(),
                "namespace {namespace} exists in context {name}, and the demo would overwrite what is in it\n  fix: run \
                 `loadgen pod-delete` and `loadgen rollout` on the lab that is there, or remove it: `kubectl --context \
                 {name} delete namespace {namespace}`"
            );
        }
        load(name, images)?;
        let place = Self { kind: Kind::Context(name.to_owned()), keep };
        apply(name, &root().join("k8s/observer/overlays/local"))?;
        wait_for(name, OBSERVER, "daemonset/observer", "120s").context(
            "the observer did not become ready: with `--keep` its pod stays, and `observer check` in it says more",
        )?;
        Ok(place)
    }

    /// The lab in this form, ready.
    pub fn deploy(&self, overlay: &str) -> Result<()> {
        match &self.kind {
            Kind::Embedded(cluster) => Lab::new(cluster).deploy(overlay),
            Kind::Context(name) => {
                apply(name, &root().join("k8s/lab").join(overlay))?;
                remove_others(overlay, |arguments| capture(kubectl(name).args(arguments)))?;
                for deployment in ["deployment/ml-inference", "deployment/api-gateway"] {
                    wait_for(name, NAMESPACE, deployment, "180s")?;
                }
                Ok(())
            }
        }
    }

    /// loadgen, pointed at this cluster, for the experiment of that name.
    pub fn loadgen(&self, binary: &Path, name: &str, arguments: &[&str]) -> Command {
        match &self.kind {
            Kind::Embedded(cluster) => {
                let mut command = cluster.client_command(binary);
                command.args(arguments);
                // Entries of an earlier experiment have been taken out of the node: loadgen need not know that there was one.
                command.env("XDG_STATE_HOME", cluster.root().join("state").join(name));
                command
            }
            Kind::Context(name) => {
                let mut command = Command::new(binary);
                // Entries of the experiment before cannot be taken out of a node that is not ours: their end is waited for.
                command.args(arguments).args(["--context", name, "--wait-nat"]);
                command
            }
        }
    }

    fn leave(&self) -> Result<()> {
        match &self.kind {
            Kind::Embedded(_) if self.keep => {
                eprintln!("\nthe cluster stays up: cargo xtask cluster shell | cargo xtask cluster down");
            }
            Kind::Embedded(_) => {
                Cluster::down(DEFAULT_ROOT.as_ref(), false)?;
            }
            Kind::Context(name) if self.keep => eprintln!("\nlab and observer stay in context {name}"),
            Kind::Context(name) => {
                run(kubectl(name).args(["delete", "namespace", "--ignore-not-found", NAMESPACE, OBSERVER]))?;
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            eprintln!("warning: {error:#}");
        }
    }
}

fn kubectl(context: &str) -> Command {
    let mut command = Command::new("kubectl");
    command.args(["--context", context]);
    command
}

fn apply(context: &str, folder: &Path) -> Result<()> {
    run(kubectl(context).args(["apply", "--kustomize"]).arg(folder))
}

/// Waits until it is ready. Where it is not in time its pods are shown, which say why: by then they are about to be taken away.
fn wait_for(context: &str, namespace: &str, object: &str, timeout: &str) -> Result<()> {
    let timeout = format!("--timeout={timeout}");
    let ready = run(kubectl(context).args(["--namespace", namespace, "rollout", "status", object, &timeout]));
    if ready.is_err() {
        run(kubectl(context).args(["--namespace", namespace, "get", "pods"]))?;
        eprintln!("  an image that is not there (ErrImageNeverPull): load target/images/*.tar into every node");
    }
    ready
}

/// Hands the images to the cluster's nodes, by the tool that made the cluster.
fn load(context: &str, images: &[PathBuf]) -> Result<()> {
    for image in images {
        let mut command = if let Some(name) = context.strip_prefix("kind-") {
            let mut command = Command::new("kind");
            command.args(["load", "image-archive", "--name", name]);
            command
        } else if runs_minikube(context) {
            let mut command = Command::new("minikube");
            command.args(["--profile", context, "image", "load"]);
            command
        } else {
            eprintln!(
                "  context {context} is neither minikube's nor kind's: the nodes must have the images of target/images already"
            );
            return Ok(());
        };
        run(command.arg(image))?;
    }
    Ok(())
}

/// minikube labels its nodes.
fn runs_minikube(context: &str) -> bool {
    let labelled = ["get", "nodes", "--selector", "minikube.k8s.io/name", "-o", "name"];
    capture(kubectl(context).args(labelled)).is_ok_and(|nodes| !nodes.trim().is_empty())
}

/// A context that exists, before anything is built for it.
pub fn check_context(name: &str) -> Result<()> {
    let contexts = Command::new("kubectl").args(["config", "get-contexts", "-o", "name"]).output();
    let contexts = contexts.context("cannot start kubectl\n  fix: install kubectl, or leave --context out")?;
    let text = String::from_utf8_lossy(&contexts.stdout);
    if !text.lines().any(|line| line.trim() == name) {
        let known: Vec<&str> = text.lines().collect();
        bail!(
            "there is no context {name}; kubectl knows: {}",
            if known.is_empty() { "none".into() } else { known.join(", ") }
        );
    }
    Ok(())
}
