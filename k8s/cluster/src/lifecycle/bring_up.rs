//! Starting whatever does not run, in an order in which each finds what it needs. Used for a new cluster and for
//! repairing one.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::images;
use crate::cluster::Cluster;
use crate::command::tail_of;
use crate::daemons::{Context, Daemon, Place, addons, control_plane, node as node_daemons};
use crate::journal::Journal;
use crate::node::{Node, namespace_path};
use crate::options::{Metrics, PAUSE_IMAGE};
use crate::steps::Steps;
use crate::{Error, Result, network, objects, probe};

/// The API server of a loaded machine has been seen to take 20 s.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) struct BringUp<'a> {
    /// The first node's.
    pub(super) context: Context<'a>,
    pub(super) journal: &'a mut Journal,
    /// Where each node's daemons run, by index.
    pub(super) places: Vec<Place>,
    pub(super) cluster: &'a Cluster,
    pub(super) steps: &'a Steps,
}

impl<'a> BringUp<'a> {
    pub(super) fn run(mut self) -> Result<()> {
        let context = self.context;
        if self.start(&control_plane::etcd(&context))? {
            // An API server that has lost its etcd waits ever longer before it looks again; a new one looks at once.
            self.end("kube-apiserver")?;
        }
        self.start_on_each(node_daemons::containerd)?;
        self.wait_for("etcd", || probe::accepts(local(control_plane::ETCD_PORT)))?;
        self.start(&control_plane::api_server(&context))?;
        let mut sockets = Vec::new();
        for context in self.contexts() {
            images::wait_for_containerd(&context, self.steps, || self.check())?;
            sockets.push(context.layout.containerd_socket(context.node));
        }
        images::import(context.bin_dir, &sockets, &context.options.images)?;
        self.steps.say(format!("containerd runs, {} images imported", context.options.images.len()));
        if !images::has(context.bin_dir, &sockets[0], PAUSE_IMAGE)? {
            self.steps.say(format!("warning: no image is called {PAUSE_IMAGE}; pods start only after it is loaded"));
        }

        self.wait_for("the API server's port", || probe::accepts(local(control_plane::API_PORT)))?;
        self.wait_until("the API server to be ready", |cluster| {
            let answer = cluster.kubectl(&["get", "--raw", "/readyz"]);
            answer.map(|_| ()).map_err(|error| last_line(&error))
        })?;
        self.steps.say("API server ready");
        self.start(&control_plane::controller_manager(&context))?;
        self.start(&control_plane::scheduler(&context))?;
        self.start_on_each(node_daemons::kubelet)?;
        self.cluster.apply(&objects::render(&context)?)?;
        self.start_on_each(node_daemons::kube_proxy)?;
        if context.options.dns {
            self.start(&addons::coredns(&context))?;
        }
        if context.options.metrics != Metrics::None {
            self.start(&addons::metrics_server(&context))?;
        }
        for node in &self.cluster.nodes {
            let healthy = || probe::answers_ok(local(node_daemons::KUBELET_HEALTH_PORT), "/healthz");
            self.wait_on(node, "the kubelet", healthy)?;
        }
        self.wait_until("the node to be Ready", Cluster::nodes_are_ready)?;
        for node in &self.cluster.nodes {
            self.steps.say(format!("node {} is Ready", node.name()));
        }
        if context.options.dns {
            self.wait_for("CoreDNS", || probe::answers_ok(local(addons::COREDNS_READY_PORT), "/ready"))?;
            self.steps.say("CoreDNS ready");
        }
        // Pods made without a controller are refused until their namespace has its service account.
        self.wait_until("the default service account", |cluster| {
            let answer = cluster.kubectl(&["get", "serviceaccount", "default", "--output=name"]);
            answer.map(|_| ()).map_err(|error| last_line(&error))
        })
    }

    /// One for each node.
    fn contexts(&self) -> Vec<Context<'a>> {
        self.cluster.nodes.iter().map(|node| Context { node, ..self.context }).collect()
    }

    /// Starts a daemon that every node has.
    fn start_on_each(&mut self, daemon: impl Fn(&Context<'_>) -> Daemon) -> Result<()> {
        self.contexts().iter().try_for_each(|context| self.start_at(context.node.index, &daemon(context)).map(drop))
    }

    /// Starts a daemon of the whole cluster, which the first node runs.
    fn start(&mut self, daemon: &Daemon) -> Result<bool> {
        self.start_at(0, daemon)
    }

    /// Starts a daemon unless it runs already; whether it had to.
    fn start_at(&mut self, index: u8, daemon: &Daemon) -> Result<bool> {
        self.steps.check()?;
        if self.journal.daemons.get(&daemon.name).is_some_and(|process| process.is_alive()) {
            return Ok(false);
        }
        let layout = self.context.layout;
        let process = self.places[usize::from(index)].start(daemon, &layout.root, &layout.log(&daemon.name))?;
        // A crash before this line leaves a process that the cgroup names as ours.
        self.journal.daemons.insert(daemon.name.clone(), process);
        self.journal.save(layout)?;
        Ok(true)
    }

    /// Ends a daemon that is to be started anew, if it runs.
    fn end(&mut self, name: &str) -> Result<()> {
        let Some(process) = self.journal.daemons.remove(name) else { return Ok(()) };
        process.kill();
        self.steps.wait(name, PATIENCE, || Ok(if process.is_alive() { Err("it still runs".into()) } else { Ok(()) }))
    }

    /// Fails with the end of its log when a daemon has ended.
    fn check(&self) -> Result<()> {
        let Some((name, _)) = self.journal.daemons.iter().find(|(_, process)| !process.is_alive()) else {
            return Ok(());
        };
        let log = self.context.layout.log(name);
        let text = std::fs::read(&log).unwrap_or_default();
        let tail = tail_of(&String::from_utf8_lossy(&text), 15);
        Err(Error::DaemonEnded { name: name.clone(), log, tail })
    }

    /// Waits for a probe within the first node's network namespace.
    fn wait_for(&self, what: &str, probe: impl Fn() -> bool + Sync) -> Result<()> {
        self.wait_on(self.context.node, what, probe)
    }

    /// Waits for a probe within a node's network namespace.
    fn wait_on(&self, node: &Node, what: &str, probe: impl Fn() -> bool + Sync) -> Result<()> {
        let namespace = namespace_path(&node.name());
        self.steps.wait(what, PATIENCE, || {
            self.check()?;
            let answers = network::within(&namespace, || Ok(probe()))?;
            Ok(if answers { Ok(()) } else { Err("it does not answer".to_owned()) })
        })
    }

    /// Waits for something the API server tells.
    fn wait_until(&self, what: &str, look: impl Fn(&Cluster) -> Result<(), String>) -> Result<()> {
        self.steps.wait(what, PATIENCE, || {
            self.check()?;
            Ok(look(self.cluster))
        })
    }
}

pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn last_line(error: &Error) -> String {
    tail_of(&error.to_string(), 1)
}
