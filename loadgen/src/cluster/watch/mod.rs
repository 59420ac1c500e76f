//! The Kubernetes watch as a time line: raw watch events, stamped on arrival.
//!
//! API time stamps have a resolution of one second; the watch delivers within milliseconds.

pub mod autoscalers;
mod deployments;
mod endpoints;
mod events;
mod pods;
mod replica_sets;
mod scaled_pods;

use std::collections::HashMap;
use std::fmt::Debug;

use futures::{StreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Timeline;
use crate::load::monotonic_ns;
use crate::raw::Subject;

/// What one kind of object becomes on the time line.
trait Lens: Send + 'static {
    /// The kind.
    type Object: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static;
    /// Name of the watch.
    const NAME: &'static str;
    /// An object that is there. `listed`: it was there when the watch began.
    fn applied(&mut self, object: &Self::Object, listed: bool) -> Option<Subject>;
    /// An object that is gone.
    fn deleted(&mut self, object: &Self::Object) -> Option<Subject>;
}

/// All watches of a namespace. They end when this is dropped.
pub struct Watches {
    tasks: JoinSet<()>,
    ready: Vec<watch::Receiver<bool>>,
}

impl Watches {
    /// Starts them.
    pub fn start(client: &Client, namespace: &str, timeline: &Timeline) -> Self {
        let mut watches = Self { tasks: JoinSet::new(), ready: Vec::new() };
        watches.spawn(client, namespace, timeline, pods::Pods);
        watches.spawn(client, namespace, timeline, endpoints::Endpoints::default());
        watches.spawn(client, namespace, timeline, replica_sets::ReplicaSets);
        watches.spawn(client, namespace, timeline, events::Events::default());
        watches
    }

    /// What decides about the number of pods: autoscalers, Deployments, pods as autoscalers see them, and their metrics.
    pub fn scaling(&mut self, client: &Client, namespace: &str, timeline: &Timeline) {
        self.spawn(client, namespace, timeline, autoscalers::Autoscalers);
        self.spawn(client, namespace, timeline, deployments::Deployments);
        self.spawn(client, namespace, timeline, scaled_pods::ScaledPods);
        self.tasks.spawn(super::pod_metrics::follow(client.clone(), namespace.to_owned(), timeline.clone()));
    }

    /// Waits until each has its first list.
    pub async fn ready(&mut self) {
        for ready in &mut self.ready {
            // A watch that ended before it was ready has left a gap entry; the run goes on without it.
            let _ = ready.wait_for(|ready| *ready).await;
        }
    }

    fn spawn<L: Lens>(&mut self, client: &Client, namespace: &str, timeline: &Timeline, lens: L)
    where
        L::Object: Resource<Scope = kube::core::NamespaceResourceScope>,
    {
        let (sender, receiver) = watch::channel(false);
        self.ready.push(receiver);
        let api = Api::namespaced(client.clone(), namespace);
        self.tasks.spawn(follow(api, lens, timeline.clone(), sender));
    }
}

async fn follow<L: Lens>(api: Api<L::Object>, mut lens: L, timeline: Timeline, ready: watch::Sender<bool>) {
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    pin_mut!(stream);
    let mut known: HashMap<String, L::Object> = HashMap::new();
    let mut listed: HashMap<String, L::Object> = HashMap::new();
    while let Some(event) = stream.next().await {
        let at_ns = monotonic_ns();
        let keep = |subject: Option<Subject>| {
            if let Some(subject) = subject {
                timeline.push_at(at_ns, subject);
            }
        };
        match event {
            Ok(watcher::Event::Init) => {
                if *ready.borrow() {
                    keep(Some(gap::<L>("the watch began again with a list")));
                }
                listed.clear();
            }
            Ok(watcher::Event::InitApply(object)) => {
                keep(lens.applied(&object, !*ready.borrow()));
                listed.insert(key(&object), object);
            }
            Ok(watcher::Event::InitDone) => {
                for (_, object) in known.drain().filter(|(key, _)| !listed.contains_key(key)) {
                    keep(lens.deleted(&object));
                }
                std::mem::swap(&mut known, &mut listed);
                ready.send_replace(true);
            }
            Ok(watcher::Event::Apply(object)) => {
                keep(lens.applied(&object, false));
                known.insert(key(&object), object);
            }
            Ok(watcher::Event::Delete(object)) => {
                keep(lens.deleted(&object));
                known.remove(&key(&object));
            }
            Err(error) => keep(Some(gap::<L>(&error.to_string()))),
        }
    }
}

/// A name may come back as another object; the UID does not.
fn key<K: Resource>(object: &K) -> String {
    let meta = object.meta();
    meta.uid.clone().or_else(|| meta.name.clone()).unwrap_or_default()
}

fn gap<L: Lens>(detail: &str) -> Subject {
    Subject::WatchGap { watch: L::NAME.to_owned(), detail: detail.to_owned() }
}
