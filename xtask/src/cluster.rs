//! `cargo xtask cluster build|up|down|status|exec|shell`: the embedded cluster for people.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use podwitness_cluster::{DEFAULT_ROOT, Metrics, Options, ProxyMode, binaries, cli};

use crate::{image, lab::Lab};

/// Arguments of `cluster`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask cluster up --lab step10          Kubernetes with the lab and the observer
  cargo xtask cluster up --nodes 2             the same machine as two nodes
  cargo xtask cluster exec -- kubectl get pods -A
  cargo xtask cluster shell                    a terminal beside the node, with KUBECONFIG set
  cargo xtask cluster down                     nothing is left")]
pub struct ClusterArgs {
    #[command(subcommand)]
    verb: Verb,
    /// Folder of the cluster's state (at most 34 characters)
    #[arg(long, global = true, default_value = DEFAULT_ROOT, value_name = "DIR")]
    root: PathBuf,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Build Kubernetes and no more; `up` does it as well
    Build,
    /// Bring it up, repair it, or say that it is up
    Up(UpArgs),
    /// Remove it and every trace of it, also of a run that was killed
    Down,
    /// Say what runs; exit code 1 when it is not up
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a program beside the node, with KUBECONFIG set and kubectl on the PATH
    Exec {
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Open a shell beside the node, with KUBECONFIG set and kubectl on the PATH
    Shell,
}

#[derive(Args, Debug)]
struct UpArgs {
    /// How Services are implemented
    #[arg(long, value_enum, default_value_t = Proxy::Iptables)]
    proxy: Proxy,
    /// metrics-server and the autoscaler: off, `fast` (10 s / 5 s), or as upstream has them (60 s / 15 s)
    #[arg(long, value_enum, default_value_t = MetricsArg::Off)]
    metrics: MetricsArg,
    /// How many nodes; each has its own network, kubelet, containerd and kube-proxy
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    nodes: u8,
    /// Addresses of the first node's pods, a part of 10.244.0.0/16; with few of them (10.244.0.0/27) each is used again soon
    #[arg(long, value_name = "NET", default_value = "10.244.0.0/24")]
    pod_subnet: String,
    /// Leave CoreDNS out
    #[arg(long)]
    no_dns: bool,
    /// Deploy the observer and this kustomization below k8s/lab (e.g. `overlays/local-fast`)
    #[arg(long, value_name = "FOLDER")]
    lab: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Proxy {
    Iptables,
    Nftables,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MetricsArg {
    Off,
    Fast,
    Default,
}

/// Runs one of the verbs.
pub fn run(args: ClusterArgs) -> Result<ExitCode> {
    match args.verb {
        Verb::Build => {
            binaries::ensure(false)?;
        }
        Verb::Up(up) => {
            let wanted = if up.lab.is_some() { image::Which::All } else { image::Which::Pause };
            let options = Options {
                root: args.root,
                images: archives(&[wanted])?,
                proxy_mode: match up.proxy {
                    Proxy::Iptables => ProxyMode::Iptables,
                    Proxy::Nftables => ProxyMode::Nftables,
                },
                metrics: match up.metrics {
                    MetricsArg::Off => Metrics::None,
                    MetricsArg::Fast => Metrics::Fast,
                    MetricsArg::Default => Metrics::Default,
                },
                dns: !up.no_dns,
                nodes: up.nodes,
                pod_subnet: up.pod_subnet.parse().with_context(|| {
                    format!("{} is no network\n  fix: write it as ADDRESS/LENGTH, e.g. 10.244.0.0/27", up.pod_subnet)
                })?,
                ..Options::default()
            };
            let cluster = cli::up(&options)?;
            if let Some(overlay) = up.lab {
                let lab = Lab::new(&cluster);
                lab.install_observer()?;
                lab.deploy(&overlay)?;
                eprintln!("           the gateway answers at {}/predict", cluster.gateway_url());
            }
        }
        Verb::Down => cli::down(&args.root, false)?,
        Verb::Status { json } => {
            if !cli::status(&args.root, json)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Verb::Exec { command } => match cli::exec(&args.root, &command)? {},
        Verb::Shell => match cli::shell(&args.root)? {},
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes images and gives their archives.
pub fn archives(which: &[image::Which]) -> Result<Vec<PathBuf>> {
    Ok(image::make(which, &image::default_folder())?.into_iter().map(|archive| archive.path).collect())
}
