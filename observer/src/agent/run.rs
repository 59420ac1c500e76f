//! `observer run`: puts the parts together, proves that they see something, and takes them apart again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::canary;
use super::core::{self, CoreConfig, Handle};
use super::input::{Command, Input};
use crate::clock::monotonic_ns;
use crate::flow::FlowConfig;
use crate::kernel::{Kernel, LoadOptions};
use crate::nat::conntrack;
use crate::pods::topology::{Parts, Wanted};
use crate::pods::{
    ServiceName, Topology, cgroup_mount, cgroups, node_cgroup, pressure::Pressure, sampling, throttling::Throttling,
    watch,
};
use crate::ports::PortSet;
use crate::serve;

/// Options of `observer run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Name of this node. Default: the host name.
    #[arg(long, env = "NODE_NAME")]
    node: Option<String>,
    /// Address of the API. It has no access control of its own: keep it on loopback, `kubectl port-forward` reaches it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9414")]
    listen: SocketAddr,
    /// Another address, for /metrics and /healthz only.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Directory of the cgroup2 hierarchy to attach at. Default: the mount that shows the node's pods, or this node's part of it.
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// Watch only the Services of this namespace (repeatable). Default: all but the cluster's own.
    #[arg(long = "namespace", value_name = "NAME")]
    namespaces: Vec<String>,
    /// Watch this TCP port in any case (repeatable).
    #[arg(long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ports: Vec<u16>,
    /// The gateway's Service, outside of announced runs. Default: any that is reachable from outside the cluster.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    gateway_service: Option<ServiceName>,
    /// The Service behind it, outside of announced runs. Default: any other watched one.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    upstream_service: Option<ServiceName>,
    /// Memory for the records of announced runs, compressed. 128 MiB hold those of about 280,000 requests.
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    records_mib: usize,
    /// Do not let the kernel measure the run time of the programs (about 30 ns for each run of one).
    #[arg(long)]
    no_bpf_cost: bool,
    /// Do not talk to the API server: report by address and cgroup.
    #[arg(long)]
    no_kubernetes: bool,
}

/// Runs the agent until a signal comes or a part that everything needs ends.
pub async fn run(options: RunOptions) -> Result<()> {
    let node = options.node.clone().unwrap_or_else(serve::host::host_name);
    // All that can be wrong with the options and the machine is found out before anything is touched.
    let listener = bind(options.listen).await?;
    let metrics_listener = match options.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let cgroup = cgroup(options.cgroup.as_deref());
    preflight(cgroup.as_deref())?;
    let cgroup =
        cgroup.context("no cgroup2 mount; mount one with `mount -t cgroup2 none DIR` and name it with --cgroup DIR")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let kernel =
        Kernel::load(&LoadOptions { cgroup: cgroup.clone(), measure_cost: !options.no_bpf_cost, leave_out: &[] })
            .context("the eBPF programs cannot be loaded; `observer check` says what is missing")?;
    let flow = FlowConfig { calls: kernel.tells_calls(), ..FlowConfig::default() };
    let (core, inputs) = core::handle();
    let ports = Arc::new(PortSet::default());
    let mut absent = BTreeMap::new();
    start_conntrack(&core, &ports, &mut absent);
    let scan = start_scan(&core, cgroup.clone());
    let run_open = start_samplers(&core, cgroup.clone());
    let client = kubernetes(&options, &mut absent).await;
    let config = CoreConfig {
        node: node.clone(),
        cgroup: cgroup.display().to_string(),
        topology: topology(&options),
        records_max_bytes: options.records_mib << 20,
        absent,
        ports,
        run_open,
    };
    let thread = core::spawn(config, kernel, flow, inputs, scan).context("no thread for the core")?;

    let listeners = Listeners { api: listener, metrics: metrics_listener };
    let served = Box::pin(serve_until_the_end(&core, client, listeners, node, &cgroup));
    let result = tokio::select! {
        result = served => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    // The programs leave with the core; an error here means that it has ended by itself.
    let _ = core.send(Command::Stop);
    if thread.join().is_err() {
        bail!("the agent's core has panicked; its last words are above");
    }
    tracing::info!("the programs are detached");
    result
}

struct Listeners {
    api: TcpListener,
    metrics: Option<TcpListener>,
}

/// Proves that the programs see something, then serves until some part ends.
async fn serve_until_the_end(
    core: &Handle,
    client: Option<kube::Client>,
    listeners: Listeners,
    node: String,
    cgroup: &Path,
) -> Result<()> {
    if !canary::fly(core).await? {
        bail!(
            "the programs are attached at {} but do not see this agent's own connections. Its cgroup is not below that \
             directory: name another with --cgroup, or mount the node's /sys/fs/cgroup into the agent's pod",
            cgroup.display()
        );
    }
    let listen = listeners.api.local_addr()?;
    tracing::info!(node, %listen, cgroup = %cgroup.display(), "the programs see traffic; ready");
    let tell = core.clone();
    let watches = async move {
        match client {
            Some(client) => Box::pin(watch::follow(client, move |report| tell.tell(Input::Watch(report)))).await,
            None => std::future::pending().await,
        }
    };
    let api = axum::serve(listeners.api, serve::api(core.clone(), node.clone()));
    let metrics = async {
        match listeners.metrics {
            Some(listener) => axum::serve(listener, serve::metrics_only(core.clone(), node)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = api => served.context("the API has ended"),
        served = metrics => served.context("the metrics server has ended"),
        () = watches => bail!("the watches have ended"),
        () = core_ended(core) => bail!("the agent's core has ended; its last words are in the log"),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on; is another agent running? Choose another address"))
}

fn preflight(cgroup: Option<&Path>) -> Result<()> {
    let missing = crate::check::programs(cgroup).into_iter().filter(|finding| finding.required && !finding.ok);
    let lines: Vec<String> = missing
        .map(|finding| {
            format!("  {}: {} (fix: {})", finding.name, finding.detail, finding.fix.as_deref().unwrap_or("none known"))
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    bail!("this machine lacks what the agent needs:\n{}\n`observer check` says more", lines.join("\n"))
}

/// The directory to attach at: the one that is named, else the cgroup2 mount that shows the node's pods; of that only what
/// belongs to our own node, where several nodes share the kernel.
pub fn cgroup(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_path_buf());
    }
    let mounts = cgroup_mount::mounts()
        .inspect_err(|error| tracing::warn!(%error, "/proc/self/mountinfo cannot be read"))
        .unwrap_or_default();
    cgroup_mount::choose(&mounts).map(|mount| node_cgroup::of_this_agent(&mount.path, &mounts))
}

fn topology(options: &RunOptions) -> Topology {
    let wanted = Wanted { namespaces: options.namespaces.clone(), ports: options.ports.clone() };
    Topology::new(
        wanted,
        Parts { gateway: options.gateway_service.clone(), upstream: options.upstream_service.clone() },
    )
}

fn start_conntrack(core: &Handle, ports: &Arc<PortSet>, absent: &mut BTreeMap<&'static str, String>) {
    let tell = core.clone();
    if let Err(error) = conntrack::spawn(Arc::clone(ports), move |report| tell.tell_conntrack(report)) {
        tracing::warn!(%error, "conntrack cannot be read: a Service's choice is not known; `observer check` says more");
        absent.insert("conntrack", error.to_string());
    }
}

fn start_scan(core: &Handle, root: PathBuf) -> Option<cgroups::ScanRequest> {
    let tell = core.clone();
    let report = move |found, started_ns| tell.tell(Input::Cgroups(found, started_ns));
    cgroups::spawn(root, monotonic_ns, report)
        .inspect_err(|error| tracing::warn!(%error, "no thread for the cgroup scan: pods are known by address only"))
        .ok()
}

/// The readers' switch: they read while a run is open.
fn start_samplers(core: &Handle, cgroup: PathBuf) -> Arc<AtomicBool> {
    let run_open = Arc::new(AtomicBool::new(false));
    let tell = core.clone();
    let report = move |stopped| tell.tell(Input::Stopped(stopped));
    if let Err(error) = sampling::spawn("cpu-stat", Arc::clone(&run_open), monotonic_ns, Throttling::default, report) {
        tracing::warn!(%error, "no thread for the pods' cpu.stat: what a CPU limit delays is not told");
    }
    let tell = core.clone();
    let report = move |fared| tell.tell(Input::Fared(fared));
    let new = move || Pressure::new(cgroup.clone());
    if let Err(error) = sampling::spawn("cpu-pressure", Arc::clone(&run_open), monotonic_ns, new, report) {
        tracing::warn!(%error, "no thread for the pods' cpu.pressure: what a busy node delays is not told");
    }
    run_open
}

async fn kubernetes(options: &RunOptions, absent: &mut BTreeMap<&'static str, String>) -> Option<kube::Client> {
    let reason = if options.no_kubernetes {
        "switched off by --no-kubernetes".to_owned()
    } else {
        match kube::Client::try_default().await {
            Ok(client) => return Some(client),
            Err(error) => {
                let reason = watch::chain(&error);
                tracing::warn!(
                    reason,
                    "no API server: everything is told by address and cgroup, and ports come from --port only"
                );
                reason
            }
        }
    };
    absent.extend(watch::WATCHES.map(|name| (name, reason.clone())));
    None
}

/// Resolves when the core no longer answers because it is gone.
async fn core_ended(core: &Handle) {
    loop {
        let (reply, answer) = tokio::sync::oneshot::channel();
        if core.send(Command::GetRun(String::new(), reply)).is_err() || answer.await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}
