//! Accepting, and the end.

use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::args::Args;
use crate::behaviour::Behaviour;
use crate::connection;
use crate::stats::Stats;
use crate::switches::Switches;

/// What all connections share.
pub struct Server {
    /// How to die.
    pub behaviour: Behaviour,
    /// Counters.
    pub stats: Stats,
    /// The text to answer with, newline included.
    pub text: Bytes,
    /// The status to answer with.
    pub status: StatusCode,
    /// `x-version`.
    pub version: HeaderValue,
    /// `x-pod-name`.
    pub pod_name: HeaderValue,
    /// Whether to log each answer.
    pub access_log: bool,
    /// Whether the switches hold for the kubelet's probes too.
    pub affect_probes: bool,
    /// The switches as the flags set them.
    pub switches_at_start: Switches,
    switches: Mutex<Switches>,
    stopping: watch::Sender<bool>,
}

impl Server {
    fn new(args: Args) -> anyhow::Result<Self> {
        let pod_name = match args.pod_name.filter(|name| !name.is_empty()) {
            Some(name) => name,
            // In a pod this is the pod's name, unless it shares the node's network.
            None => std::fs::read_to_string("/proc/sys/kernel/hostname")
                .context("no POD_NAME, and no host name")?
                .trim()
                .to_owned(),
        };
        let version = args.app_version.unwrap_or_else(|| args.behaviour.release().to_owned());
        Ok(Self {
            behaviour: args.behaviour,
            stats: Stats::default(),
            text: format!("{}\n", args.text).into(),
            status: StatusCode::from_u16(args.status_code).context("no such status")?,
            version: HeaderValue::try_from(version).context("the version cannot be sent as a header")?,
            pod_name: HeaderValue::try_from(pod_name).context("the pod's name cannot be sent as a header")?,
            access_log: args.access_log,
            affect_probes: args.affect_probes,
            switches_at_start: args.switches,
            switches: Mutex::new(args.switches),
            stopping: watch::Sender::new(false),
        })
    }

    /// The switches as they are now.
    pub fn switches(&self) -> Switches {
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them for every request from now on.
    pub fn set_switches(&self, switches: Switches) {
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner) = switches;
    }

    /// Whether the listener is closed for good.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// The counters with the names that they belong to.
    pub fn stats_json(&self) -> serde_json::Value {
        let mut all = self.stats.to_json();
        all["pod_name"] = String::from_utf8_lossy(self.pod_name.as_bytes()).into();
        all["version"] = String::from_utf8_lossy(self.version.as_bytes()).into();
        all["behaviour"] = self.behaviour.release().into();
        all["switches"] = self.switches().to_json();
        all
    }
}

/// Listens and serves until a signal ends it; the exit code is http-echo's.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // Before the listener: a signal that comes early must not kill the process in the default way.
    let mut sigterm = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut sigint = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let listener = args.listen.open().with_context(|| format!("cannot listen on {:?}", args.listen))?;
    note(&format!("[INFO] server is listening on {}", listener.local_addr().context("the listener has no address")?));
    let server = Arc::new(Server::new(args)?);

    // Every connection holds a clone of `alive`; when the last is gone, `all_gone` ends.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => accept(&server, accepted, &alive).await,
            _ = sigint.recv() => break,
            _ = sigterm.recv() => {
                if server.behaviour.stops_on_sigterm() {
                    break;
                }
            }
        }
    }
    Ok(stop(&server, listener, alive, &mut all_gone).await)
}

async fn accept(
    server: &Arc<Server>,
    accepted: io::Result<(tokio::net::TcpStream, std::net::SocketAddr)>,
    alive: &mpsc::Sender<()>,
) {
    match accepted {
        Ok((stream, peer)) => {
            let (server, stopping, alive) = (Arc::clone(server), server.stopping.subscribe(), alive.clone());
            tokio::spawn(async move {
                connection::serve(server, stream, peer, stopping).await;
                drop(alive);
            });
        }
        Err(error) => {
            note(&format!("[ERR] accept: {error}"));
            // Out of file descriptors, most likely: asking again at once would only burn CPU.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn stop(
    server: &Server,
    listener: TcpListener,
    alive: mpsc::Sender<()>,
    all_gone: &mut mpsc::Receiver<()>,
) -> ExitCode {
    drop(listener);
    drop(alive);
    server.stopping.send_replace(true);
    note("[INFO] shutting down");
    if tokio::time::timeout(Behaviour::DRAIN, all_gone.recv()).await.is_ok() {
        ExitCode::from(Behaviour::EXIT_DRAINED)
    } else {
        note(&format!("[ERR] requests were still open after {:?}", Behaviour::DRAIN));
        ExitCode::from(Behaviour::EXIT_CUT)
    }
}

/// A line on stderr. A reader that is gone is no reason to die (`eprintln!` would panic).
fn note(line: &str) {
    use std::io::Write;
    _ = writeln!(std::io::stderr(), "{line}");
}
