//! Follows pods, Services and EndpointSlices through the API server. Each of the three can fail on its own.

use std::collections::HashSet;
use std::fmt::Debug;

use futures::{Stream, TryStreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

mod convert;

use super::index::PodState;
use super::topology::{ServiceName, ServiceState, SliceState};
use crate::clock::monotonic_ns;
use convert::Watched;

/// Something has changed in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A pod was added or has changed.
    Pod(PodState),
    /// A pod is gone.
    PodGone(String),
    /// Pods were listed anew: these UIDs, and no others.
    PodsListed(HashSet<String>),
    /// A Service was added or has changed.
    Service(ServiceName, ServiceState),
    /// A Service is gone.
    ServiceGone(ServiceName),
    /// Services were listed anew.
    ServicesListed(HashSet<ServiceName>),
    /// An EndpointSlice (namespace, name) was added or has changed.
    Slice((String, String), SliceState),
    /// An EndpointSlice is gone.
    SliceGone((String, String)),
    /// EndpointSlices were listed anew.
    SlicesListed(HashSet<(String, String)>),
}

/// What a watch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A change, stamped when it arrived.
    Changed {
        /// What.
        change: Change,
        /// When, `CLOCK_MONOTONIC`.
        at_ns: u64,
    },
    /// The watch works, or does not (with the reason).
    Health {
        /// Which watch.
        watch: &'static str,
        /// Why it does not work; `None` when it does.
        problem: Option<String>,
    },
}

/// The three watches, by name.
pub const WATCHES: [&str; 3] = [Pod::NAME, Service::NAME, EndpointSlice::NAME];

/// Follows all three until `report` is no longer wanted (returns false).
pub async fn follow(client: Client, report: impl Fn(Report) -> bool + Clone) {
    tokio::join!(
        follow_one::<Pod>(&client, report.clone()),
        follow_one::<Service>(&client, report.clone()),
        follow_one::<EndpointSlice>(&client, report),
    );
}

async fn follow_one<K>(client: &Client, report: impl Fn(Report) -> bool)
where
    K: Watched + Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default()).default_backoff();
    follow_events(events, report).await;
}

async fn follow_events<K: Watched>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    report: impl Fn(Report) -> bool,
) {
    pin_mut!(events);
    let mut listed = HashSet::new();
    let mut healthy = None;
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(error) => {
                let problem = Some(chain(&error));
                if healthy != Some(false) {
                    tracing::warn!(watch = K::NAME, problem, "the watch fails; it is tried again");
                }
                healthy = Some(false);
                if !report(Report::Health { watch: K::NAME, problem }) {
                    return;
                }
                continue;
            }
        };
        let at_ns = monotonic_ns();
        let change = match event {
            watcher::Event::Init => {
                listed.clear();
                None
            }
            watcher::Event::InitApply(object) => {
                listed.extend(object.key());
                object.applied()
            }
            watcher::Event::InitDone => Some(K::listed(std::mem::take(&mut listed))),
            watcher::Event::Apply(object) => object.applied(),
            watcher::Event::Delete(object) => object.key().map(K::gone),
        };
        if healthy != Some(true) {
            healthy = Some(true);
            if !report(Report::Health { watch: K::NAME, problem: None }) {
                return;
            }
        }
        if change.is_some_and(|change| !report(Report::Changed { change, at_ns })) {
            return;
        }
    }
}

/// An error with all that caused it: the first level alone rarely says what is wrong.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
